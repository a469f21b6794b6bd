"""A gateway process of its own beside `dispatch serve`, which can be killed, told to end, and started again where it was (Linux)."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx2

from bench.serving import Served, pids
from bench.swarm.watch import environment
from dispatch.settings import free_port

READY_S = 60.0
OF_SERVE = ("DISPATCH_DRAIN_S",)  # what `serve` decides for its children; a gateway that runs apart has its own default


@dataclass(slots=True)
class Gateway:
    """One. ``took``: seconds from its last start until it served."""

    served: Served
    port: int = field(default_factory=free_port)
    probes: int = field(default_factory=free_port)
    took: float = 0.0
    _begun: float = 0.0
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Where devices connect."""
        return f"ws://127.0.0.1:{self.port}/v1/device"

    @property
    def log(self) -> Path:
        """What it said."""
        return self.served.folder / f"gateway-{self.port}.log"

    def start(self) -> None:
        """Begin; does not wait until it serves."""
        chosen = environment(pids(self.served)["gateway"])  # the same store, the same keys
        chosen = {name: value for name, value in chosen.items() if name not in OF_SERVE}
        chosen |= {"DISPATCH_DEVICE_PORT": str(self.port), "DISPATCH_OPS_PORT": str(self.probes)}
        self._begun = time.perf_counter()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([sys.executable, "-m", "dispatch", "gateway"], env=chosen, stdout=log, stderr=log)

    def wait(self) -> float:
        """Returns when it is ready: the moment. Raises RuntimeError with its log."""
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and self.process is not None and self.process.poll() is None:
            try:
                if httpx2.get(f"http://127.0.0.1:{self.probes}/readyz", timeout=5).status_code == 200:
                    now = time.perf_counter()
                    self.took = now - self._begun
                    return now
            except httpx2.HTTPError:
                pass
            time.sleep(0.02)
        raise RuntimeError(f"the gateway is not ready:\n{self.log.read_text(errors='replace')[-3_000:]}")

    def end(self, how: signal.Signals, patience_s: float) -> float:
        """Send a signal and wait until it has ended; the seconds that took. By force when it takes too long."""
        begun = time.perf_counter()
        if self.process is not None:
            self.process.send_signal(how)
            try:
                self.process.wait(patience_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        return time.perf_counter() - begun


@contextmanager
def gateway(served: Served) -> Iterator[Gateway]:
    """A gateway that serves, until the block ends."""
    made = Gateway(served)
    try:
        made.start()
        made.wait()
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            made.end(signal.SIGKILL, 5)

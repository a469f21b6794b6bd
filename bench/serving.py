"""The engine under measurement: `dispatch serve` as its users start it, on free ports, with its data in a folder of its own."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2

from dispatch.settings import free_port

READY_S, STOP_S = 60.0, 30.0


@dataclass(slots=True, kw_only=True)
class Served:
    """A running engine and where to talk to it."""

    url: str
    device_url: str
    folder: Path
    environment: dict[str, str]
    process: "subprocess.Popen[bytes]"
    key: str = "dev-key"

    def metrics(self) -> str:
        """Prometheus text of all its processes."""
        return httpx2.get(f"{self.url}/metrics", headers={"authorization": f"Bearer {self.key}"}, timeout=30).text

    def kill_and_restart(self) -> float:
        """kill -9 of the supervisor, with which all its parts go; started again on the same data. Seconds until it is ready."""
        self.process.kill()
        self.process.wait(STOP_S)
        begun = time.monotonic()
        self.process = _start(self.folder, self.environment)
        _wait(self)
        return time.monotonic() - begun


def pids(served: Served) -> dict[str, int]:
    """The processes of the engine, by what each is (Linux)."""
    found: dict[str, int] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if int(_stat(int(folder.name))[1]) == served.process.pid:
                words = (folder / "cmdline").read_text().split("\0")
                found[next((word for word in words if word in ("api", "gateway", "worker")), "store")] = int(folder.name)
        except (OSError, ValueError):
            continue
    return found


def cpu_seconds(served: Served) -> dict[str, float]:
    """CPU time so far of each process of the engine (Linux)."""
    return {name: sum(map(int, _stat(pid)[11:13])) / os.sysconf("SC_CLK_TCK") for name, pid in pids(served).items()}


def _stat(pid: int) -> list[str]:
    """What the kernel says of a process, from its state on."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()


@contextmanager
def serving(profile: str = "durable", **environment: str) -> Iterator[Served]:
    """`dispatch serve --dev` until the block ends. Raises RuntimeError with its log when it does not become ready."""
    with tempfile.TemporaryDirectory(prefix="d-bench-") as name:
        folder, http, device = Path(name), free_port(), free_port()
        chosen = {
            **os.environ,
            "DISPATCH_HTTP_PORT": str(http),
            "DISPATCH_DEVICE_PORT": str(device),
            "DISPATCH_DATA_DIR": str(folder / "data"),
            "DISPATCH_PROFILE": profile,
            "DISPATCH_LOG_LEVEL": "warning",
            **environment,
        }
        served = Served(
            url=f"http://127.0.0.1:{http}",
            device_url=f"ws://127.0.0.1:{device}/v1/device",
            folder=folder,
            environment=chosen,
            process=_start(folder, chosen),
        )
        try:
            _wait(served)
            yield served
        finally:
            served.process.send_signal(signal.SIGTERM)
            served.process.wait(STOP_S)


def _start(folder: Path, environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    with (folder / "log").open("ab") as log:
        return subprocess.Popen([sys.executable, "-m", "dispatch", "serve", "--dev"], env=environment, stdout=log, stderr=log)


def _wait(served: Served) -> None:
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and served.process.poll() is None:
        try:
            if httpx2.get(f"{served.url}/readyz", timeout=5).status_code == 200:
                return
        except httpx2.HTTPError:
            pass
        time.sleep(0.1)
    raise RuntimeError(f"the engine is not ready:\n{(served.folder / 'log').read_text(errors='replace')[-4_000:]}")

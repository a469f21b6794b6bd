"""A whole engine as its users start it: processes of its own, real ports, data in a folder."""

import http.client
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dispatch.settings import free_port

ROOT = Path(__file__).parent.parent
READY_S = 30.0
STOP_S = 30.0
GONE_S = 5.0
MARK = "ENGINE_OF_TEST"  # in the environment of everything that the engine starts, however deep


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineProcess:
    """A running engine. ``key`` opens everything; ``log`` is what it printed."""

    base_url: str
    device_url: str
    key: str
    data_dir: Path
    log: Path
    process: "subprocess.Popen[bytes]"
    mark: str

    def wait_until_ready(self, patience_s: float = READY_S) -> None:
        """Wait for /readyz to say 200. Fails with the log when the engine ends or takes too long."""
        deadline = time.monotonic() + patience_s
        while not self._ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the engine is not ready (exit code {self.process.poll()}):\n{self.printed()}")
            time.sleep(0.05)

    def _ready(self) -> bool:
        connection = http.client.HTTPConnection(self.base_url.removeprefix("http://"), timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Tell it to end, wait, and answer its exit code. Fails when something that it started is still there."""
        self.process.send_signal(how)
        try:
            code = self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the engine did not end within {STOP_S:.0f} s of {how.name}:\n{self.printed()}") from None
        survivors = self._wait_for_the_last()
        self.kill()
        assert not survivors, f"processes outlived the engine: {survivors}\n{self.printed()}"
        return code

    def kill(self) -> None:
        """End all that is left of it, at once."""
        for pid in survivors_of(self.mark):
            os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait()

    def printed(self) -> str:
        """The end of what it printed, without our own questions whether it is ready."""
        lines = [line for line in self.log.read_text(errors="replace").splitlines() if "/readyz" not in line]
        return "\n".join(lines[-40:])

    def _wait_for_the_last(self) -> dict[int, str]:
        deadline = time.monotonic() + GONE_S
        while (left := survivors_of(self.mark)) and time.monotonic() < deadline:
            time.sleep(0.05)
        return left


def survivors_of(mark: str) -> dict[int, str]:
    """Process id and command of everything alive that carries the mark. Linux only; elsewhere nothing is found."""
    wanted, found = f"{MARK}={mark}".encode(), {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if wanted in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:  # ended meanwhile, or not ours
            continue
    return {pid: command for pid, command in found.items() if command}  # one without a command has ended


@contextmanager
def engine(folder: Path, *options: str, **environment: str) -> Iterator[EngineProcess]:
    """`dispatch serve --dev` on free ports with its data in ``folder``, ready; ended orderly afterwards, if it still runs.

    ``environment`` adds to or overrules the variables it is started with.
    """
    http_port, device_port, mark, log = free_port(), free_port(), secrets.token_hex(8), folder / "engine.log"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCH_")}
    chosen = {"DISPATCH_HTTP_PORT": str(http_port), "DISPATCH_DEVICE_PORT": str(device_port), "DISPATCH_DATA_DIR": str(folder / "data")}
    command = [sys.executable, "-m", "dispatch", "serve", "--dev", *options]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=inherited | chosen | {MARK: mark} | environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = EngineProcess(
        base_url=f"http://127.0.0.1:{http_port}",
        device_url=f"ws://127.0.0.1:{device_port}/v1/device",
        key="dev-key",
        data_dir=folder / "data",
        log=log,
        process=process,
        mark=mark,
    )
    try:
        running.wait_until_ready()
        yield running
        if process.poll() is None:
            running.stop()
    finally:
        running.kill()

"""The engine as a child process: `dispatch serve --dev` with a fast clock, a fresh data folder and ports of its own."""

import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio.abc import Process

from dispatch.client import BookingClient
from dispatch.demo.options import Options
from dispatch.settings import free_port

KEY = "dev-key"  # what `serve --dev` lets in
READY_S = 45.0
STOP_S = 15.0
LAST_WORDS = 15  # lines


class EngineFailed(Exception):
    """The engine did not start, or died; the text ends with what it wrote last."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A running engine: where it is, and its process."""

    http: str
    devices: str
    log: Path
    process: Process

    def check(self) -> None:
        """Raises EngineFailed when the process has ended."""
        if self.process.returncode is not None:
            raise EngineFailed(f"the engine ended with code {self.process.returncode}:\n{self.last_words()}")

    def last_words(self) -> str:
        """The end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-LAST_WORDS:])


@asynccontextmanager
async def running(options: Options) -> AsyncIterator[Engine]:
    """Starts an engine, waits until it is ready, and stops it at the end: first kindly, then not."""
    with _folder(options.data_dir) as folder:
        ports = [options.port or free_port(), options.device_port or free_port()]
        log = folder / "engine.log"
        process = await _start(ports, folder, options.speed, log)
        engine = Engine(f"http://127.0.0.1:{ports[0]}", f"ws://127.0.0.1:{ports[1]}/v1/device", log, process)
        try:
            await _ready(engine)
            yield engine
        finally:
            await _stop(process)


async def _start(ports: list[int], folder: Path, speed: float, log: Path) -> Process:
    """In a session of its own: Ctrl-C is for the demo, which then stops the engine in good order."""
    chosen = {"HTTP_PORT": ports[0], "DEVICE_PORT": ports[1], "DATA_DIR": folder / "data", "CLOCK_SPEED": speed, "LOG_LEVEL": "warning"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCH_")}
    environment |= {f"DISPATCH_{name}": str(value) for name, value in chosen.items()}
    command = [sys.executable, "-m", "dispatch", "serve", "--dev"]
    with log.open("wb") as out:
        return await anyio.open_process(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=environment, start_new_session=True
        )


async def _ready(engine: Engine) -> None:
    with anyio.move_on_after(READY_S):
        async with BookingClient(engine.http, KEY, "none") as client:
            while not await client.ready():
                engine.check()
                await anyio.sleep(0.1)
            return
    raise EngineFailed(f"the engine was not ready within {READY_S:g} s:\n{engine.last_words()}")


async def _stop(process: Process) -> None:
    with anyio.CancelScope(shield=True):
        if process.returncode is None:
            process.terminate()
        with anyio.move_on_after(STOP_S):
            await process.wait()
            return
        process.kill()
        await process.wait()


@contextmanager
def _folder(chosen: Path | None) -> Iterator[Path]:
    """The folder chosen, or a fresh one that is removed at the end."""
    if chosen is not None:
        chosen.mkdir(parents=True, exist_ok=True)
    with nullcontext(str(chosen)) if chosen else tempfile.TemporaryDirectory(prefix="dispatch-demo-") as name:
        yield Path(name)

"""`python -m loadtests`: one load test from the command line, without a browser.

With ``--host`` it loads that installation; without, it starts an engine of its own for the run (embedded store, free ports, fresh folder),
which then shares the machine with the load. Everything else goes to Locust; ``--help`` lists it all. Reports are written to
``build/load/``: report.html, and load_*.csv.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

from dispatch.settings import free_port

HERE = Path(__file__).resolve().parent
REPORTS = Path("build") / "load"
READY_S = 60.0


def main(arguments: Sequence[str]) -> int:
    """Runs Locust; its exit code, which is not 0 when a limit or a promise was broken."""
    REPORTS.mkdir(parents=True, exist_ok=True)
    given = {argument.partition("=")[0] for argument in arguments}
    own = not given & {"--host", "-H", "--help", "-h"}
    with own_engine() if own else contextlib.nullcontext([]) as where:
        reports = [] if "--worker" in given else ["--html", str(REPORTS / "report.html"), "--csv", str(REPORTS / "load")]
        command = [sys.executable, "-m", "locust", "-f", str(HERE), "--headless", "--only-summary", *reports, *where, *arguments]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE.parent), os.environ.get("PYTHONPATH", "")])}
        return subprocess.call(command, env=environment)


@contextlib.contextmanager
def own_engine() -> Iterator[list[str]]:
    """An engine for this run alone; yields the options that lead Locust to it."""
    http, devices = free_port(), free_port()
    with tempfile.TemporaryDirectory(prefix="dispatch-load-") as folder, (Path(folder) / "engine.log").open("wb") as log:
        chosen = {"DISPATCH_HTTP_PORT": http, "DISPATCH_DEVICE_PORT": devices, "DISPATCH_DATA_DIR": folder, "DISPATCH_LOG_LEVEL": "warning"}
        environment = os.environ | {name: str(value) for name, value in chosen.items()}
        engine = subprocess.Popen([sys.executable, "-m", "dispatch", "serve", "--dev"], env=environment, stdout=log, stderr=log)
        try:
            wait_ready(f"http://127.0.0.1:{http}", engine)
            yield ["--host", f"http://127.0.0.1:{http}", "--device-url", f"ws://127.0.0.1:{devices}/v1/device"]
        finally:
            engine.terminate()
            engine.wait(30)


def wait_ready(host: str, engine: "subprocess.Popen[bytes]") -> None:
    """Returns when the engine says that it can work. Raises RuntimeError when it ended, or takes too long."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        if engine.poll() is not None:
            raise RuntimeError(f"the engine ended with code {engine.returncode}")
        with contextlib.suppress(urllib.error.URLError, OSError), urllib.request.urlopen(f"{host}/readyz", timeout=2):
            return
        time.sleep(0.1)
    raise RuntimeError(f"the engine was not ready within {READY_S:g} s")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

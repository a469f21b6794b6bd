"""Peers as children: each in a folder of its own, without privileges, ended with the block or with us."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.peers import Absent

READY_S, STOP_S = 60.0, 20.0
NAMES = ("postgres", "nobody")  # whom a server runs as when we are root


def program(*names: str) -> Path:
    """The first of these programs that is installed. Raises Absent."""
    for name in names:
        if found := shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"):
            return Path(found)
    raise Absent(f"{names[0]} is not installed; `make bench-peers` installs it")


def unprivileged() -> str | None:
    """The user as whom a server runs: None (we are nobody special), or a name."""
    if os.geteuid():
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return next(name for name in NAMES if name in known)


@contextmanager
def folder() -> Iterator[Path]:
    """A folder for a peer, which belongs to whom it runs as."""
    with tempfile.TemporaryDirectory(prefix="d-peer-") as name:
        if user := unprivileged():
            shutil.chown(name, user)
        yield Path(name)


def identity() -> dict[str, Any]:
    """How subprocess is told to run something without privileges."""
    user = unprivileged()
    return {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []} if user else {}


@contextmanager
def running(
    command: Sequence[str],
    home: Path,
    *,
    stop: signal.Signals = signal.SIGTERM,
    environment: Mapping[str, str] | None = None,
    own: bool = False,
    at: Path | None = None,
) -> Iterator["subprocess.Popen[bytes]"]:
    """A server until the block ends; what it says goes to ``home``/log. ``own``: as the user we are; ``at``: in
    another folder than ``home``."""
    with (home / "log").open("ab") as log:
        process = subprocess.Popen(
            command, cwd=at or home, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, **(environment or {})}, **({} if own else identity()),
        )  # fmt: skip
    try:
        yield process
    finally:
        process.send_signal(stop)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def wait_for_port(port: int, process: "subprocess.Popen[bytes]", home: Path) -> None:
    """Returns when somebody listens there. Raises RuntimeError with the log when the server ended, or takes too long."""
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"{process.args!r} does not come up:\n{log_tail(home)}")


def log_tail(home: Path) -> str:
    """The end of what the server said."""
    return (home / "log").read_text(errors="replace")[-3_000:]

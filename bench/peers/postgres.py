"""PostgreSQL with PostGIS: a cluster of our own on a unix socket, tuned for reading from memory."""

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from bench.peers import Absent
from bench.peers.children import folder, identity, log_tail, running
from bench.peers.machine import version

READY_S, PORT = 30.0, 5432  # the port only names the socket
EXTENSIONS = ("postgis", "intarray")
# Everything fits in shared_buffers; nothing is written while it is measured, so loading may skip what only a crash would need.
SETTINGS = {
    "listen_addresses": "",
    "work_mem": "256MB",
    "maintenance_work_mem": "512MB",
    "random_page_cost": "1.1",
    "jit": "off",
    "autovacuum": "off",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "8GB",
    "log_min_messages": "fatal",
}


def binaries() -> Path:
    """The programs of the newest PostgreSQL that has the extensions. Raises Absent."""
    import_asyncpg()
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists() and _extended(path.parent.name)]
    if not found:
        raise Absent("PostgreSQL with PostGIS is not installed; `make bench-peers` installs it")
    return max(found, key=lambda path: float(path.parent.name))


def _extended(release: str) -> bool:
    return all(Path(f"/usr/share/postgresql/{release}/extension/{name}.control").exists() for name in EXTENSIONS)


def import_asyncpg() -> Any:
    """The client. Raises Absent."""
    try:
        return import_module("asyncpg")
    except ImportError:
        raise Absent("asyncpg, the client of PostgreSQL, is not installed; `make bench-peers` installs it") from None


def versions() -> str:
    """What is measured."""
    control = Path(f"/usr/share/postgresql/{binaries().parent.name}/extension/postgis.control").read_text()
    postgis = re.search(r"default_version\s*=\s*'([^']+)'", control)
    return f"PostgreSQL {version(str(binaries() / 'postgres'), '--version')}, PostGIS {postgis[1] if postgis else '?'}"


@contextmanager
def cluster() -> Iterator[Path]:
    """A running server; yields the folder of its socket."""
    programs = binaries()
    with folder() as home:
        data = home / "data"
        made = subprocess.run(
            [programs / "initdb", "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
            cwd=home, capture_output=True, text=True, check=False, **identity(),
        )  # fmt: skip
        if made.returncode:
            raise RuntimeError(f"initdb: {made.stderr}")
        chosen = {**SETTINGS, "shared_buffers": f"{_shared_mb()}MB", "unix_socket_directories": str(home)}
        options = [f"-c{name}={value}" for name, value in chosen.items()]
        with running([str(programs / "postgres"), "-D", str(data), *options], home, stop=signal.SIGINT):
            yield home


def _shared_mb() -> int:
    """A quarter of the memory, at most 4 GB."""
    return min(4_096, os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20 // 4)


@asynccontextmanager
async def connected(home: Path) -> AsyncIterator[Any]:
    """A connection, as soon as the server takes one. Raises RuntimeError with its log."""
    asyncpg, deadline = import_asyncpg(), asyncio.get_running_loop().time() + READY_S
    while True:
        try:
            connection = await asyncpg.connect(host=str(home), port=PORT, user="bench", database="postgres")
            break
        except (OSError, asyncpg.PostgresError) as error:
            if asyncio.get_running_loop().time() > deadline:
                raise RuntimeError(f"PostgreSQL does not come up ({error}):\n{log_tail(home)}") from error
            await asyncio.sleep(0.1)
    try:
        yield connection
    finally:
        await connection.close()

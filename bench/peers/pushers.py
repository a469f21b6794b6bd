"""Servers that push to websockets, each started on free ports of loopback: nginx with nchan, NATS, python-socketio, Starlette, `websockets`
with nothing around it, and ours."""

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed
from pathlib import Path

from bench.peers import Absent
from bench.peers.children import folder, program, running, unprivileged, wait_for_port
from bench.peers.machine import version
from bench.serving import Served, pids, serving
from dispatch.settings import free_port
from dispatch.store.embedded import running as store_of

NCHAN = Path("/usr/lib/nginx/modules/ngx_nchan_module.so")
FOLDERS = Path("/var/lib/nginx/body")  # made by the first start as root
ROOT = Path(__file__).resolve().parents[2]
NGINX = """
load_module {module};
{user}daemon off; worker_processes 1; worker_rlimit_nofile {files}; pid nginx.pid; error_log stderr warn;
events {{ worker_connections {files}; multi_accept on; }}
http {{
    access_log off; keepalive_requests 100000000; keepalive_timeout 1h;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
    nchan_shared_memory_size 512M;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location ~ ^/sub/(.+)$ {{ nchan_subscriber websocket; nchan_channel_id $1; nchan_subscriber_first_message newest; }}
        location ~ ^/pub/(.+)$ {{ nchan_publisher http; nchan_channel_id $1; nchan_channel_id_split_delimiter ","; }}
    }}
}}
"""
NATS = """
listen: "127.0.0.1:{tcp}"
max_connections: {files}
ping_interval: "1h"
websocket {{ listen: "127.0.0.1:{port}", no_tls: true, compression: false }}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A running one. ``speech``: what the process that holds the sockets is started with (see swarm/held.py). ``pid``: who serves them, or
    the master of who does."""

    version: str
    speech: tuple[str, ...]
    pid: int = 0


Starter = Callable[[int], AbstractContextManager[Server]]  # with the number of files each process may have open


@contextmanager
def nchan(files: int) -> Iterator[Server]:
    nginx, port = program("nginx"), free_port()
    if not NCHAN.exists():
        raise Absent("nginx has no module nchan here; `make bench-peers` installs libnginx-mod-nchan")
    user = unprivileged()
    if not user and not FOLDERS.exists():
        raise Absent(f"nginx has never been started here, and nchan insists on {FOLDERS}; `make bench-peers` makes it")
    text = NGINX.format(module=NCHAN, files=files, port=port, user=f"user {user};\n" if user else "")
    with folder() as home:
        (home / "nginx.conf").write_text(text)
        with running([str(nginx), "-p", f"{home}/", "-c", "nginx.conf", "-e", "stderr"], home, own=True) as process:
            wait_for_port(port, process, home)
            names = f"nginx {version(str(nginx), '-v')}, nchan {_debian('libnginx-mod-nchan')}"
            yield Server(names, ("speeches.Nchan", f"port={port}"), process.pid)


def _debian(package: str) -> str:
    return version("dpkg-query", "--showformat", "${source:Upstream-Version}", "--show", package)


@contextmanager
def nats(files: int) -> Iterator[Server]:
    server, port, tcp = program("nats-server"), free_port(), free_port()
    with folder() as home:
        (home / "nats.conf").write_text(NATS.format(tcp=tcp, port=port, files=files))
        with running([str(server), "-c", "nats.conf"], home) as process:
            wait_for_port(port, process, home)
            wait_for_port(tcp, process, home)
            yield Server(f"NATS {version(str(server), '--version')}", ("speeches.Nats", f"port={port}", f"tcp={tcp}"), process.pid)


@contextmanager
def _uvicorn(app: str, speech: str, names: str) -> Iterator[Server]:
    port = free_port()
    options = ["--host", "127.0.0.1", "--port", str(port), "--log-level", "warning", "--no-access-log", "--backlog", "4096"]
    chosen = ["--loop", "uvloop", "--http", "httptools", "--ws-ping-interval", "3600", "--timeout-keep-alive", "3600"]
    command = [sys.executable, "-m", "uvicorn", f"bench.peers.{app}:app", "--app-dir", str(ROOT), *options, *chosen]
    with folder() as home, running(command, home, own=True) as process:
        wait_for_port(port, process, home)
        yield Server(names, (f"speeches.{speech}", f"port={port}"), process.pid)


@contextmanager
def socketio(_: int) -> Iterator[Server]:
    try:
        names = f"python-socketio {installed('python-socketio')} on uvicorn {installed('uvicorn')}"
    except PackageNotFoundError:
        raise Absent("python-socketio is not installed; `make bench-peers` installs it") from None
    with _uvicorn("socketio_app", "SocketIO", names) as server:
        yield server


@contextmanager
def starlette(_: int) -> Iterator[Server]:
    with _uvicorn("starlette_app", "Starlette", f"Starlette {installed('starlette')} on uvicorn {installed('uvicorn')}") as server:
        yield server


@contextmanager
def bare(_: int) -> Iterator[Server]:
    """The library under our gateway."""
    port = free_port()
    with folder() as home, running([sys.executable, "-m", "bench.peers.bare_app", str(port)], home, own=True, at=ROOT) as process:
        wait_for_port(port, process, home)
        yield Server(f"websockets {installed('websockets')}", ("speeches.Greeted", f"port={port}"), process.pid)


@contextmanager
def ours(_: int) -> Iterator[Server]:
    """`dispatch serve` with the durable profile."""
    with serving() as served:
        yield speaking(served)


def speaking(served: Served) -> Server:
    """An engine that runs, as a contender."""
    store = store_of(served.folder / "data") or ""
    options = (f"url={served.url}", f"device_url={served.device_url}", f"key={served.key}", f"store={store}")
    return Server("ours", ("ours.Ours", *options), pids(served)["gateway"])


PUSHERS: dict[str, Starter] = {"nchan": nchan, "NATS": nats, "socketio": socketio, "Starlette": starlette}

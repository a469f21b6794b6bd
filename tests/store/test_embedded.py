"""The embedded store, with a real server each time: it ends with its parent, loses nothing that it acknowledged, and never meets a twin."""

import os
import select
import shutil
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from dispatch.errors import ConfigError
from dispatch.store import child, embedded, lock
from dispatch.store.embedded import Embedded, find_binary, running

ROOT = Path(__file__).parents[2]
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux sends a signal when a parent ends")
PATIENCE_S = 20

# Starts a store, tells its process id, then writes 1, 2, 3... and tells each number once it is acknowledged.
WRITER = """
import signal, sys
from pathlib import Path
from redis import Redis
from dispatch.store import embedded
signal.signal(signal.SIGINT, signal.default_int_handler)  # as in a terminal: a shell has its background commands ignore it
if "no-death-signal" in sys.argv:
    embedded.with_parent = lambda number: None
with embedded.Embedded(Path(sys.argv[1]), "durable") as server, Redis.from_url(server.url) as client:
    print(server.pid, flush=True)
    number = 0
    while True:
        number += 1
        client.set(f"key-{number}", number)
        print(number, flush=True)
"""


@pytest.fixture(params=["bundled", "redis-server"])
def binary(request: pytest.FixtureRequest) -> Path:
    if request.param == "bundled":
        return find_binary()
    found = shutil.which("redis-server")
    if not found:
        pytest.skip("no redis-server on PATH")
    return Path(found)


@pytest.fixture
def writer(tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    with start_writer(tmp_path) as process:
        yield process
        process.kill()


def start_writer(folder: Path, *words: str) -> "subprocess.Popen[str]":
    """The writer in a process group of its own, as a shell starts a command in a terminal."""
    command = [sys.executable, "-c", WRITER, str(folder), *words]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment, process_group=0)


def read_until(process: "subprocess.Popen[str]", count: int) -> tuple[int, int]:
    """The store's process id and the last number that was acknowledged, once there are ``count``."""
    assert process.stdout
    pid = int(process.stdout.readline())
    return pid, [int(process.stdout.readline()) for _ in range(count)][-1]


def rest(process: "subprocess.Popen[str]") -> list[int]:
    """The numbers acknowledged between our last look and the end."""
    assert process.stdout
    return [int(line) for line in process.stdout if line.endswith("\n")]


def wait_until_gone(pid: int) -> bool:
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watched], [], [], PATIENCE_S)[0])
    finally:
        os.close(watched)


def missing_keys(folder: Path, last: int) -> list[int]:
    with Embedded(folder) as server, Redis.from_url(server.url) as client:
        values = client.mget([f"key-{number}" for number in range(1, last + 1)])
        return [number for number, value in enumerate(values, 1) if value != str(number).encode()]


# -- life and death -------------------------------------------------------------------------------------------------


@LINUX
@pytest.mark.parametrize(
    ("how", "group"),
    [(signal.SIGINT, True), (signal.SIGTERM, False), (signal.SIGKILL, False), (signal.SIGKILL, True)],
    ids=["Ctrl-C", "SIGTERM", "kill -9", "kill -9 of the whole group"],
)
def test_the_end_of_the_parent_leaves_no_orphan_and_loses_nothing(
    writer: "subprocess.Popen[str]", tmp_path: Path, how: signal.Signals, group: bool
) -> None:
    pid, last = read_until(writer, 100)
    (os.killpg if group else os.kill)(writer.pid, how)
    last = max([last, *rest(writer)])
    assert wait_until_gone(pid), f"the store {pid} outlived its parent"
    assert missing_keys(tmp_path, last) == []


@LINUX
def test_without_the_death_signal_the_store_would_outlive_its_parent(tmp_path: Path) -> None:
    with start_writer(tmp_path, "no-death-signal") as process:
        pid, _ = read_until(process, 1)
        process.kill()
    with pytest.raises(ConfigError, match=f"in use by process {pid}"):
        Embedded(tmp_path, lock_s=0).start()
    os.kill(pid, signal.SIGTERM)
    assert wait_until_gone(pid)


def test_a_killed_store_loses_nothing_that_it_acknowledged(tmp_path: Path, binary: Path) -> None:
    server = Embedded(tmp_path, binary=binary)
    server.start()
    with Redis.from_url(server.url) as client:
        for number in range(1, 101):
            client.set(f"key-{number}", number)
        os.kill(server.pid, signal.SIGKILL)
        assert wait_until_gone(server.pid)
        assert not server.alive
        server.start()
        assert client.dbsize() == 100
    server.stop()


def test_a_store_that_does_not_obey_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "STOP_S", 0.1)
    with Embedded(tmp_path) as server:
        os.kill(server.pid, signal.SIGSTOP)
    assert not server.alive


def test_stopping_twice_or_before_the_start_is_harmless(tmp_path: Path) -> None:
    server = Embedded(tmp_path)
    server.stop()
    server.start()
    server.stop()
    server.stop()
    assert not server.alive


def test_another_thread_than_the_main_one_may_not_start_it(tmp_path: Path) -> None:
    seen: list[str] = []

    def start() -> None:
        try:
            Embedded(tmp_path).start()
        except RuntimeError as error:
            seen.append(str(error))

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "main thread" in seen[0]


@LINUX
def test_a_child_whose_parent_is_gone_before_it_could_ask_ends_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 1_000_000)  # as if someone else had forked
    ask = child.with_parent(signal.SIGTERM)
    monkeypatch.undo()
    process = subprocess.Popen([sys.executable, "-c", "print('alive')"], stdout=subprocess.PIPE, preexec_fn=ask)
    assert process.communicate()[0] == b""
    assert process.returncode == 1


# -- one folder, one store ------------------------------------------------------------------------------------------


def test_a_folder_in_use_is_refused_and_the_owner_named(tmp_path: Path) -> None:
    with Embedded(tmp_path) as first, pytest.raises(ConfigError, match=f"in use by process {first.pid}"):
        Embedded(tmp_path, lock_s=0).start()


def test_a_second_start_waits_until_the_former_store_has_finished(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, waited, sleep = Embedded(tmp_path), [], lock.sleep
    first.start()
    os.kill(first.pid, signal.SIGSTOP)  # a store that still writes: it was told to end and has not
    os.kill(first.pid, signal.SIGTERM)

    def let_it_finish(seconds: float) -> None:
        waited.append(seconds)
        os.kill(first.pid, signal.SIGCONT)
        sleep(seconds)

    monkeypatch.setattr(lock, "sleep", let_it_finish)
    with Embedded(tmp_path, lock_s=PATIENCE_S) as second:
        assert waited
        assert not first.alive
        assert second.alive


def test_the_url_of_the_running_store_is_found_by_its_folder(tmp_path: Path) -> None:
    assert running(tmp_path) is None
    with Embedded(tmp_path) as server:
        assert running(tmp_path) == server.url
    assert running(tmp_path) is None


# -- how it is set up -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("profile", "fsync"), [("durable", "always"), ("dev", "everysec")])
def test_the_configuration_keeps_what_the_profile_promises(tmp_path: Path, binary: Path, profile: str, fsync: str) -> None:
    expected = {
        "appendonly": "yes",
        "appendfsync": fsync,
        "no-appendfsync-on-rewrite": "no",
        "maxmemory-policy": "noeviction",
        "maxmemory": str(64 << 20),
        "save": "",
        "port": "0",
        "protected-mode": "yes",
        "latency-monitor-threshold": "5",
        "shutdown-on-sigterm": "force",
        "set-proc-title": "no",
    }
    with Embedded(tmp_path, profile, memory_mb=64, binary=binary) as server, Redis.from_url(server.url) as client:  # type: ignore[arg-type]
        told = client.config_get(*expected)
    assert {name: told[name] for name in expected} == expected


def test_only_this_user_can_open_the_socket_and_the_folder(tmp_path: Path) -> None:
    with Embedded(tmp_path / "new") as server:
        path = server.folder / "valkey.sock"
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700


def test_a_port_may_be_chosen_and_stays_the_same_after_a_second_start(tmp_path: Path) -> None:
    with Embedded(tmp_path, port=0) as server:
        url = server.url
        server.stop()
        server.start()
        assert server.url == url
        assert url.startswith("redis://127.0.0.1:")


@pytest.mark.parametrize("name", ["x" * 120, 'a "quoted" name', "espace é", "back\\slash", "per%20cent"])
def test_any_folder_name_will_do(tmp_path: Path, name: str) -> None:
    with Embedded(tmp_path / name) as server, Redis.from_url(server.url) as client:
        assert client.ping()
        socket = Path(client.connection_pool.connection_kwargs["path"])
        assert len(os.fsencode(socket)) <= embedded.LONGEST_SOCKET_PATH
    assert not socket.exists()
    assert (tmp_path / name / "appendonlydir").is_dir()


def test_the_log_of_the_former_run_is_kept(tmp_path: Path) -> None:
    for _ in range(3):
        with Embedded(tmp_path):
            pass
    assert "bye bye" in (tmp_path / "valkey.log.1").read_text()
    assert "bye bye" in (tmp_path / "valkey.log").read_text()


# -- when it cannot start -------------------------------------------------------------------------------------------


def test_without_any_program_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ConfigError) as caught:
        find_binary()
    for remedy in ("dispatch-engine[embedded]", "apt install redis-server", "DISPATCH_REDIS_URL"):
        assert remedy in str(caught.value)


def test_a_server_on_path_is_taken_when_the_package_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    monkeypatch.setattr(embedded, "find_spec", lambda name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_binary() == program


def test_a_server_that_cannot_read_its_data_ends_the_start_with_its_own_words(tmp_path: Path) -> None:
    with Embedded(tmp_path) as server, Redis.from_url(server.url) as client:
        client.set("a", 1)
    for part in (tmp_path / "appendonlydir").glob("*.rdb"):
        part.write_bytes(b"not a snapshot")
    with pytest.raises(ConfigError, match="Bad file format"):
        Embedded(tmp_path).start()
    assert running(tmp_path) is None


def test_a_server_that_says_nothing_is_given_up(tmp_path: Path) -> None:
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\necho I am busy\nexec sleep 60\n")
    silent.chmod(0o700)
    server = Embedded(tmp_path / "data", binary=silent)
    server.launch()
    with pytest.raises(ConfigError, match="does not come up"):
        server.wait_until_ready(0.2)
    server.stop()


def test_reading_a_long_log_may_take_longer_than_the_patience_for_a_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Embedded(tmp_path) as server, Redis.from_url(server.url) as client:
        client.mset({f"key-{number}": number for number in range(2_000)})
        client.bgrewriteaof()
        while client.info("persistence")["aof_rewrite_in_progress"] or client.info("persistence")["aof_rewrite_scheduled"]:
            pass
    slow = "key-load-delay 500\nloading-process-events-interval-bytes 1024\n"  # half a millisecond a key: one second
    monkeypatch.setattr(embedded, "CONFIGURATION", embedded.CONFIGURATION + slow)
    server = Embedded(tmp_path)
    server.launch()
    server.wait_until_ready(0.3)
    with Redis.from_url(server.url) as client:
        assert client.dbsize() == 2_000
        assert client.info("persistence")["loading"] == 0
    server.stop()

"""The life of a whole engine: how its processes start, survive, and end. Real processes, real signals."""

import functools
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from redis import Redis

from dispatch.settings import free_port
from dispatch.store import keys
from dispatch.store.embedded import Embedded
from tests.engine_process import MARK, EngineProcess, engine, survivors_of

ROOT = Path(__file__).parents[2]
PATIENCE_S = 30.0
MARKET = {"time_zone": "Europe/Paris"}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found in /proc")


def eventually(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {PATIENCE_S:.0f} s: {what}"
        time.sleep(0.05)


def request(running: EngineProcess, method: str, path: str, body: object = None) -> tuple[int, str]:
    connection = http.client.HTTPConnection(running.base_url.removeprefix("http://"), timeout=10)
    try:
        connection.request(method, path, body and json.dumps(body), {"Authorization": f"Bearer {running.key}"})
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def pids(running: EngineProcess) -> dict[str, int]:
    """The processes of an engine by what they are: store, serve, api, gateway, worker."""
    found = {}
    for pid, command in survivors_of(running.mark).items():
        match = re.search(r"-m dispatch (\w+)", command)
        found[match[1] if match else "store"] = pid
    return found


def is_kept(data_dir: Path, market: str) -> bool:
    """Whether a market is on the disk of an engine that has ended."""
    with Embedded(data_dir) as store, Redis.from_url(store.url) as client:
        return bool(client.exists(keys.key("market", market)))


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """An engine that several tests hurt, one after the other."""
    with engine(tmp_path_factory.mktemp("lasting")) as running:
        yield running


# -- while it runs --------------------------------------------------------------------------------------------------


def test_an_engine_is_three_processes_a_supervisor_and_a_store(lasting: EngineProcess) -> None:
    assert set(pids(lasting)) == {"serve", "api", "gateway", "worker", "store"}


@pytest.mark.parametrize("role", ["api", "gateway", "worker"])
def test_a_part_that_is_killed_is_replaced_and_the_others_live_on(lasting: EngineProcess, role: str) -> None:
    before = pids(lasting)
    os.kill(before[role], signal.SIGKILL)
    eventually(lambda: pids(lasting).get(role, before[role]) != before[role], f"a new {role}")
    lasting.wait_until_ready()
    started = f'process_start_time_seconds{{process="{role}"}}'
    eventually(lambda: started in request(lasting, "GET", "/metrics")[1], f"metrics of the new {role}")
    after = pids(lasting)
    assert {name for name in before if before[name] != after[name]} == {role}


def test_a_store_that_is_killed_comes_back_with_its_data(lasting: EngineProcess) -> None:
    assert request(lasting, "PUT", "/v1/markets/survivor", MARKET)[0] == 201
    before = pids(lasting)
    os.kill(before["store"], signal.SIGKILL)
    eventually(lambda: pids(lasting).get("store", before["store"]) != before["store"], "a new store")
    eventually(lambda: request(lasting, "PUT", "/v1/markets/survivor", MARKET)[0] == 200, "the market that was there before")
    lasting.wait_until_ready()


def test_the_metrics_of_all_processes_are_on_the_port_of_the_api(lasting: EngineProcess) -> None:
    def told(role: str) -> bool:
        page = request(lasting, "GET", "/metrics")[1]
        return bool(re.search(rf'^dispatch_loop_lag_seconds_count{{process="{role}"}} [1-9]', page, re.MULTILINE))

    for role in ("api", "gateway", "worker"):  # one of them may just be coming back
        eventually(functools.partial(told, role), f"metrics of the {role}")


def test_the_way_in_is_printed_when_everything_is_ready(lasting: EngineProcess) -> None:
    eventually(lambda: "is ready" in lasting.log.read_text(), "the addresses")
    printed = lasting.log.read_text()
    assert lasting.base_url in printed
    assert lasting.device_url in printed
    assert "Development mode" in printed


# -- how it ends ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("how", "options"), [(signal.SIGINT, []), (signal.SIGTERM, []), (signal.SIGINT, ["--single"])])
def test_it_ends_in_good_order_children_first_then_the_store(tmp_path: Path, how: signal.Signals, options: list[str]) -> None:
    with engine(tmp_path, *options) as running:
        assert request(running, "PUT", "/v1/markets/paris", MARKET)[0] == 201
        os.killpg(running.process.pid, how)  # as a terminal does with Ctrl-C: to the whole process group
        assert running.process.wait(PATIENCE_S) == 0
        assert survivors_of(running.mark) == {}
    assert is_kept(running.data_dir, "paris")
    printed, store_log = running.log.read_text(), (running.data_dir / "valkey.log").read_text()
    assert "bye bye" in store_log
    for sign_of_disorder in ("Traceback", "store_unavailable", "beat.missed", "crashed"):
        assert sign_of_disorder not in printed


def test_when_the_supervisor_is_killed_nobody_is_left_and_nothing_is_lost(tmp_path: Path) -> None:
    with engine(tmp_path) as running:
        assert request(running, "PUT", "/v1/markets/paris", MARKET)[0] == 201
        running.process.kill()
        running.process.wait()
        eventually(lambda: not survivors_of(running.mark), "all children gone")
    assert is_kept(running.data_dir, "paris")


def test_a_second_ctrl_c_cuts_the_orderly_end_short(tmp_path: Path) -> None:
    with engine(tmp_path) as running:
        os.kill(pids(running)["worker"], signal.SIGSTOP)  # it hangs
        began = time.monotonic()
        running.process.send_signal(signal.SIGINT)
        eventually(lambda: "api" not in pids(running), "the api gone")
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(PATIENCE_S) == 130
        assert time.monotonic() - began < 9  # the grace of a child is 10 s
        assert survivors_of(running.mark) == {}


# -- when it cannot start -------------------------------------------------------------------------------------------


@contextmanager
def started(folder: Path, *words: str, **environment: str) -> Iterator[EngineProcess]:
    """A process of ours that need not come up; whatever is left of it is ended."""
    mark, log = f"processes-{os.getpid()}-{time.monotonic_ns()}", folder / "printed.log"
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("DISPATCH_")}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dispatch", *words],
            cwd=ROOT,
            env={**inherited, MARK: mark, "DISPATCH_DATA_DIR": str(folder / "data"), **environment},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    running = EngineProcess(base_url="", device_url="", key="dev-key", data_dir=folder / "data", log=log, process=process, mark=mark)
    try:
        yield running
    finally:
        running.kill()


@pytest.mark.parametrize("variable", ["DISPATCH_HTTP_PORT", "DISPATCH_DEVICE_PORT"])
def test_a_port_in_use_ends_everything_with_2_and_is_named(tmp_path: Path, variable: str) -> None:
    ports = {name: str(free_port()) for name in ("DISPATCH_HTTP_PORT", "DISPATCH_DEVICE_PORT")}
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with started(tmp_path, "serve", "--dev", **{**ports, variable: port}) as running:
            assert running.process.wait(PATIENCE_S) == 2
            assert survivors_of(running.mark) == {}
            assert port in running.printed()
            assert "is ready" not in running.printed()
            assert "Traceback" not in running.printed()


# -- parts that run apart -------------------------------------------------------------------------------------------


def probe(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode()
    except OSError:
        return 0, ""
    finally:
        connection.close()


@pytest.mark.parametrize("role", ["api", "gateway", "worker"])
def test_a_part_that_runs_apart_has_probes_of_its_own(tmp_path: Path, short_dir: Path, role: str) -> None:
    ops, http_port, device_port = free_port(), free_port(), free_port()
    with Embedded(short_dir) as store:
        environment = {
            "DISPATCH_REDIS_URL": store.url,
            "DISPATCH_OPS_PORT": str(ops),
            "DISPATCH_HTTP_PORT": str(http_port),
            "DISPATCH_DEVICE_PORT": str(device_port),
        }
        with started(tmp_path, role, **environment) as running:
            eventually(lambda: probe(ops, "/readyz")[0] == 200 or running.process.poll() is not None, f"a ready {role}")
            assert running.process.poll() is None, running.printed()
            assert probe(ops, "/livez")[0] == 200
            assert f'dispatch_loop_lag_seconds_count{{process="{role}"}}' in probe(ops, "/metrics")[1]
            assert running.stop(signal.SIGTERM) == 0


def test_a_part_whose_store_is_away_lives_but_is_not_ready(tmp_path: Path, short_dir: Path) -> None:
    ops = free_port()
    with Embedded(short_dir) as store, started(tmp_path, "worker", DISPATCH_REDIS_URL=store.url, DISPATCH_OPS_PORT=str(ops)) as running:
        eventually(lambda: probe(ops, "/readyz")[0] == 200, "a ready worker")
        store.stop()
        eventually(lambda: probe(ops, "/readyz")[0] == 503, "a worker that is not ready")
        assert probe(ops, "/livez")[0] == 200
        store.start()
        eventually(lambda: probe(ops, "/readyz")[0] == 200, "a ready worker again")
        assert running.stop() == 0

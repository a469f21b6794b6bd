"""The supervisor, with small real children that tell what happens to them."""

import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import islice
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from anyio.abc import UNIXDatagramSocket
from redis import Redis

from dispatch.errors import ConfigError
from dispatch.processes import supervise as module
from dispatch.processes.part import Role
from dispatch.processes.stopping import Stop
from dispatch.processes.supervise import Child, mind_store, pauses, supervise
from dispatch.store.embedded import Embedded

PATIENCE_S = 20

# Says "<role> started <pid>", is ready, then does what it is told: "crash", "wrong", "stubborn" (no SIGTERM), "drains" (ends late), or
# waits for its end.
CHILD = """
import os, signal, socket, sys, time
what, role, tether = sys.argv[1], sys.argv[2], sys.argv[4]
report = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
report.connect(os.environ["REPORT"])
def say(word):
    report.send(f"{role} {word} {os.getpid()}".encode())
def end(*_):
    if what == "drains": time.sleep(0.5)
    say("asked"); sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if what == "stubborn" else end)
say("started")
if what == "crash": sys.exit(1)
if what == "wrong": sys.exit(2)
if what != "unready": os.write(int(tether.split(":")[1]), b"1")
while True: signal.pause()
"""


class Reports:
    """What the children say."""

    def __init__(self, heard: UNIXDatagramSocket, path: Path) -> None:
        self._heard, self.path = heard, path

    def child(self, role: Role, what: str = "good", **environment: str) -> Child:
        return Child(role, {**os.environ, "REPORT": str(self.path), **environment}, [sys.executable, "-c", CHILD, what])

    async def next(self, *words: str) -> int:
        """The process id in the next report, which must say these words."""
        said, pid = await self.any()
        assert said == " ".join(words)
        return pid

    async def any(self) -> tuple[str, int]:
        """The next report, whatever it says, and who made it."""
        with anyio.fail_after(PATIENCE_S):
            said, _, pid = (await self._heard.receive())[0].decode().rpartition(" ")
        return said, int(pid)


@pytest.fixture
async def reports(short_dir: Path) -> AsyncIterator[Reports]:
    async with await anyio.create_unix_datagram_socket(local_path=short_dir / "reports") as heard:
        yield Reports(heard, short_dir / "reports")


@asynccontextmanager
async def supervised(*children: Child, stop: Stop) -> AsyncIterator[anyio.Event]:
    """The supervisor at work; it must end once it is told to."""
    ready = anyio.Event()
    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(supervise, children, None, stop, ready.set)
            yield ready
            stop.asked.set()


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_children_are_ready_when_all_are_and_end_when_they_are_asked(reports: Reports) -> None:
    pids = []
    async with supervised(reports.child(Role.GATEWAY), reports.child(Role.GATEWAY), stop=Stop()) as ready:
        pids = [await reports.next("gateway", "started") for _ in range(2)]
        await ready.wait()
    assert {await reports.next("gateway", "asked") for _ in range(2)} == set(pids)
    assert not any(is_alive(pid) for pid in pids)


async def test_one_that_is_not_ready_keeps_all_from_being_ready(reports: Reports) -> None:
    async with supervised(reports.child(Role.API), reports.child(Role.API, "unready"), stop=Stop()) as ready:
        for _ in range(2):
            await reports.next("api", "started")
    assert not ready.is_set()


async def test_a_killed_child_is_started_again_with_the_same_address_for_probes(reports: Reports) -> None:
    child = reports.child(Role.WORKER)
    address = child.ops_address
    async with supervised(child, stop=Stop()):
        first = await reports.next("worker", "started")
        os.kill(first, signal.SIGKILL)
        second = await reports.next("worker", "started")
        assert second != first
        assert child.ops_address == address
        with socket.create_connection(("127.0.0.1", int(address.rpartition(":")[2]))):
            pass  # whoever asks while nobody is there waits in the queue, and is not refused


async def test_a_child_that_keeps_crashing_is_started_less_and_less_often(reports: Reports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "pauses", lambda: iter([0.0, 0.0, 0.0, 3_600.0]))
    async with supervised(reports.child(Role.WORKER, "crash"), stop=Stop()):
        for _ in range(4):
            await reports.next("worker", "started")
        # the fifth start is an hour away, and yet the stop at the end of this block is obeyed at once


def test_the_pauses_double_up_to_half_a_minute() -> None:
    assert list(islice(pauses(), 10)) == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


async def test_a_wrong_installation_ends_everything_in_good_order(reports: Reports) -> None:
    stop, good, wrong = Stop(), reports.child(Role.GATEWAY), reports.child(Role.API, "wrong")
    await good_first(reports, good, wrong, stop)
    assert stop.asked.is_set()
    await reports.next("api", "started")
    await reports.next("gateway", "asked")


async def good_first(reports: Reports, good: Child, wrong: Child, stop: Stop) -> None:
    """Supervise both; the wrong one is let off its leash when the good one runs."""
    begin, keep = anyio.Event(), wrong.keep

    async def keep_later(stop: Stop) -> None:
        await begin.wait()
        await keep(stop)

    wrong.keep = keep_later  # type: ignore[method-assign]

    async def run() -> None:
        with pytest.raises(ConfigError, match="the api cannot run as it is installed"):
            await supervise([good, wrong], None, stop, lambda: None)

    with anyio.fail_after(PATIENCE_S):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            await reports.next("gateway", "started")
            await good.ready.wait()
            begin.set()


async def test_a_child_that_does_not_obey_is_killed_after_the_grace(reports: Reports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0.05)
    async with supervised(reports.child(Role.API, "stubborn"), stop=Stop()) as ready:
        pid = await reports.next("api", "started")
        await ready.wait()
    assert not is_alive(pid)


async def test_a_child_that_drains_has_the_time_for_it(reports: Reports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE_S", 0.05)
    async with supervised(reports.child(Role.GATEWAY, "drains", DISPATCH_DRAIN_S="30"), stop=Stop()) as ready:
        await reports.next("gateway", "started")
        await ready.wait()
    await reports.next("gateway", "asked")


async def test_a_second_ctrl_c_does_not_wait_for_the_grace(reports: Reports, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GRACE_S", 3_600)
    stop = Stop()
    async with supervised(reports.child(Role.API, "stubborn"), stop=stop) as ready:
        pid = await reports.next("api", "started")
        await ready.wait()
        stop.now.set()
    assert not is_alive(pid)


async def test_a_store_that_dies_comes_back_at_the_same_address_with_its_data(short_dir: Path) -> None:
    with Embedded(short_dir) as store, Redis.from_url(store.url) as client:
        client.set("a", 1)
        first = store.pid
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(mind_store, store)
            os.kill(first, signal.SIGKILL)
            with anyio.fail_after(PATIENCE_S):
                while store.pid == first:
                    await anyio.lowlevel.checkpoint()
            store.wait_until_ready()
            assert client.get("a") == b"1"
            tasks.cancel_scope.cancel()

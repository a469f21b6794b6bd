"""The power goes: what the store had told is on the disk (P2). Every write and sync of a real server is on record, so its disk is known
as it was at any moment; a server started on what a cut at that moment leaves must know every win that somebody had been told of."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from random import Random

import msgspec
import pytest
from redis import Redis

from dispatch.errors import ConfigError
from dispatch.settings import Profile
from dispatch.store import Store
from dispatch.store.calls import Calls, make_redis
from dispatch.store.embedded import Embedded, find_binary
from dispatch.store.functions import Clock
from tests.faults.disk import SYNCS, Choice, Disk
from tests.faults.syscalls import Call, calls, tracer
from tests.store.scene import Scene, play
from tests.store.soundness import faults

MARKET = "paris"
CREW = [f"p-{number}" for number in range(8)]
BOOKINGS, CLIENTS, EACH = 72, 8, 3
# Every booking asks three at once; visits lie so far apart that nobody is ever kept from one by another.
SETTINGS = {"cadence": [{"class": "far", "lead_under_s": None, "size": EACH, "pause_s": 3_600}], "open_proposals_cap": 100}
LEADS_H = [2.5 + 1.6 * number for number in range(BOOKINGS)]
ANYWHERE, SYNCING, REWRITING, TRIES = 5, 3, 4, 6  # power cuts
BULK = re.compile(rb"\$(\d+)\r\n")  # a reply of a verb begins so


@dataclass(frozen=True)
class Told:
    """An answer that a client has got: to which tap, what, and when (wall time, s)."""

    name: str
    booking_id: str
    id: str
    outcome: str
    at: float

    @property
    def tap(self) -> tuple[str, str]:
        return self.name, self.booking_id


@dataclass
class Run:
    """One life of a server: what its clients were told, its disk, and what it sent them."""

    told: list[Told] = field(default_factory=list)
    proposals: dict[tuple[str, str], tuple[int, str]] = field(default_factory=dict)  # (name, booking) -> his number, the proposal
    rewriting: float = 0.0  # when a new base of the append-only file was ordered
    clock: Clock = field(default_factory=Clock)
    disk: Disk = field(default_factory=lambda: Disk(""))
    calls: list[Call] = field(default_factory=list)

    def wins(self) -> dict[str, str]:
        """Booking and winner of each win that was told."""
        return {told.booking_id: told.name for told in self.told if told.outcome == "won"}

    def place(self, moment: float) -> int:
        """Where a moment lies in the order of things: behind all that was done by then."""
        return max((call.done + 1 for call in self.calls if call.until < moment), default=0)

    @property
    def rewritten(self) -> float:
        """When the append-only file had been rewritten: its last list of parts was in its place."""
        return max(call.until for call in self.calls if call.name == "rename" and b"manifest" in call.strings[1])


# -- a life under watch -----------------------------------------------------------------------------------------------


@asynccontextmanager
async def watched(folder: Path, profile: Profile) -> AsyncIterator[tuple[Embedded, Path]]:
    """A server whose every call to the kernel is written down; it ends by the power cut."""
    trace, program = folder / "trace", folder / "traced"
    program.write_text(f'#!/bin/sh\nexec {" ".join(tracer(find_binary(), trace))} "$@"\n')
    program.chmod(0o700)
    server = Embedded(folder / "data", profile, binary=program)
    server.start()
    with Redis.from_url(server.url) as client:
        pid = int(client.info("server")["process_id"])
    try:
        yield server, trace
    finally:
        os.kill(pid, signal.SIGKILL)
        server.stop()  # the tracer: it has nothing left to watch


async def live(folder: Path, profile: Profile) -> Run:
    """Seventy-two bookings are won by eight clients at once; meanwhile the append-only file is rewritten."""
    run = Run()
    async with watched(folder, profile) as (server, trace), play(server.url, MARKET, folder, **SETTINGS) as scene:
        for name in CREW:
            await scene.provider(name)
        for number, lead in enumerate(LEADS_H):
            await scene.open(f"b-{number}", lead=lead)
        run.clock, taps = scene.store.clock, await _taps(scene, run)
        Random(7).shuffle(taps)
        await _rewrite(scene)  # what was there before is safe, whatever the profile
        await _rewritten(scene)
        await _tap(scene, run, taps)
        await _rewritten(scene)
    run.calls = calls(trace.read_text().splitlines())
    run.disk = Disk.of(server.folder, run.calls)
    return run


async def _taps(scene: Scene, run: Run) -> list[tuple[str, str]]:
    """Who may say yes to what."""
    names = {number: name for name, number in scene.numbers.items()}
    for number in range(BOOKINGS):
        record = await scene.record(f"b-{number}")
        for pno in record.proposals:
            run.proposals[names[pno], f"b-{number}"] = pno, scene.proposal(names[pno], record)
    assert len(run.proposals) == EACH * BOOKINGS
    return list(run.proposals)


async def _tap(scene: Scene, run: Run, taps: list[tuple[str, str]]) -> None:
    """Several clients say yes at once, each on a connection of his own, one after the other."""
    todo = iter(taps)

    async def client() -> None:
        redis = make_redis(scene.redis_url, connections=1)
        calls = Calls(redis, scene.store.clock)
        claims = Store(calls, calls).claims
        for name, booking_id in todo:
            pno, proposal = run.proposals[name, booking_id]
            answer = await claims.accept(MARKET, pno, tap_id(name, booking_id), proposal, 1)
            run.told.append(Told(name, booking_id, tap_id(name, booking_id), answer["outcome"], time.time()))
            if len(run.told) == len(taps) // 4:
                run.rewriting = time.time()
                await _rewrite(scene)
        await redis.aclose()

    await asyncio.gather(*(client() for _ in range(CLIENTS)))


def tap_id(name: str, booking_id: str) -> str:
    return f"tap-{booking_id}-{name}"


async def _rewrite(scene: Scene) -> None:
    await scene.redis.execute_command("BGREWRITEAOF")


async def _rewritten(scene: Scene) -> None:
    """The new append-only file is in use."""
    async with asyncio.timeout(30):
        while b"aof_rewrite_in_progress:0" not in await scene.redis.execute_command("INFO", "persistence"):
            pass


def lived(profile: Profile) -> Run:
    """A whole life of a server."""
    if not shutil.which("strace"):
        pytest.skip("no strace on PATH (Debian's package strace): nothing else shows what a server writes and syncs")
    with tempfile.TemporaryDirectory(prefix="d-") as folder:
        return asyncio.run(live(Path(folder), profile))


@pytest.fixture(scope="module")
def durable() -> Run:
    """A server that keeps the promise."""
    return lived("durable")


@pytest.fixture(scope="module")
def dev() -> Run:
    """A server that syncs once a second."""
    return lived("dev")


# -- after the cut ----------------------------------------------------------------------------------------------------


def restore(run: Run, folder: Path, moment: float, choose: Choice) -> None:
    """What the power cut at that moment left, in a folder of its own."""
    for name, content in run.disk.left(run.place(moment), choose).items():
        path = folder / Path(name).relative_to(run.disk.folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


async def broken(run: Run, folder: Path, moment: float) -> list[Told]:
    """The answers told before that moment that a server started on this folder does not stand by: another holds the booking, or the same
    tap is told something else. Whatever it has lost, it must be sound."""
    told = [one for one in run.told if one.at < moment]
    with Embedded(folder, "durable") as server:
        redis = make_redis(server.url)
        redis.response_callbacks.clear()
        calls = Calls(redis, run.clock)
        store = Store(calls, calls)
        assert await faults(store, MARKET, server.url) == []
        winners = {one.booking_id: (await store.bookings.get(MARKET, one.booking_id)).winner for one in told}
        found = [one for one in told if one.outcome == "won" and winners[one.booking_id] != run.proposals[one.tap][0]]
        if not found:
            again = [await store.claims.accept(MARKET, run.proposals[one.tap][0], one.id, run.proposals[one.tap][1], 1) for one in told]
            found = [one for one, answer in zip(told, again, strict=True) if answer["outcome"] != one.outcome]
        await redis.aclose()
    return found


def cuts(run: Run, random: Random) -> list[tuple[float, Choice]]:
    """When the power goes, and what is kept of all that was not yet safe: nothing, everything, or a part. Some moments lie anywhere, some
    in the middle of a sync, some in the time in which the append-only file is rewritten; the last is that of the last answer."""
    first, last = run.told[0].at, run.told[-1].at
    syncs = random.sample([(call.at, call.until) for call in run.calls if call.name in SYNCS and first < call.at < last], SYNCING)
    spans = [(first, last)] * ANYWHERE + syncs + [(run.rewriting, run.rewritten)] * REWRITING + [(last + 1e-6, last + 1e-6)]
    return list(zip((random.uniform(*span) for span in spans), cycle([min, max, random.randint]), strict=False))


# -- the barrier ------------------------------------------------------------------------------------------------------


def announcements(run: Run) -> list[tuple[Call, list[str]]]:
    """Every write to a client that tells of wins, and the bookings they are of."""
    sent = [(call, announced(call.content)) for call in run.calls if call.target.startswith("socket:")]
    return [(call, won) for call, won in sent if won]


def announced(content: bytes) -> list[str]:
    """The bookings that the replies in these bytes give to somebody."""
    won = []
    while found := BULK.match(content):
        reply, content = content[found.end() :][: int(found[1])], content[found.end() + int(found[1]) + 2 :]
        if b"WON" in reply:
            won.append(msgspec.msgpack.decode(reply)["booking"]["booking_id"])
    return won


def uncovered(run: Run) -> list[str]:
    """The bookings whose win went out to a client before a sync had covered its bytes."""
    holders = run.wins()
    return [
        booking_id
        for call, won in announcements(run)
        for booking_id in won
        if not holds(run.disk.safe(call.begun), tap_id(holders[booking_id], booking_id))
    ]


def holds(append_only: bytes, id_: str) -> bool:
    """Whether the whole step that keeps the answer to this tap is there."""
    at = append_only.find(f":{id_}\r\n".encode())
    return at >= 0 and b"\r\nEXEC\r\n" in append_only[at:]


# -- the promise, and its control -------------------------------------------------------------------------------------


async def test_what_was_told_survives_a_power_cut_at_any_moment_p2(durable: Run, tmp_path: Path) -> None:
    chosen = cuts(durable, Random(2))
    for number, (moment, choose) in enumerate(chosen):
        restore(durable, tmp_path / f"cut-{number}", moment, choose)
        assert await broken(durable, tmp_path / f"cut-{number}", moment) == []
    assert sum(durable.rewriting < moment < durable.rewritten for moment, _ in chosen) >= REWRITING, (
        "the append-only file was not rewritten"
    )
    places = [durable.place(moment) for moment, _ in chosen]
    assert sum(durable.disk.left(place, min) != durable.disk.left(place, max) for place in places) >= SYNCING, "all was safe"
    assert len(durable.wins()) == BOOKINGS


async def test_in_dev_the_same_cut_loses_wins_that_were_told(dev: Run, tmp_path: Path) -> None:
    """The control: where the file is synced once a second, some cut takes away what somebody has been told."""
    told = [one.at + 1e-6 for one in dev.told if one.outcome == "won"]
    for number, moment in enumerate(told[:: -len(told) // TRIES]):
        restore(dev, tmp_path / f"cut-{number}", moment, min)
        if await broken(dev, tmp_path / f"cut-{number}", moment):
            return
    raise AssertionError("no cut took anything away: these tests would not notice a store that does not sync")


def test_zeros_behind_the_end_are_refused_and_cut_off_without_a_loss_p2(durable: Run, tmp_path: Path) -> None:
    """Some file systems leave them. An operator has the tool cut them off, which the embedded server is when it is called by that name."""
    moment = durable.told[-1].at + 1e-6
    restore(durable, tmp_path, moment, min)
    newest = max(tmp_path.glob("appendonlydir/*.incr.aof"))
    newest.write_bytes(newest.read_bytes() + bytes(4_096))
    with pytest.raises(ConfigError, match="Bad file format"):
        Embedded(tmp_path).start()
    tool = ["valkey-check-aof", "--fix", str(newest)]
    subprocess.run(tool, executable=find_binary(), input=b"y\n", stdout=subprocess.DEVNULL, check=True)
    assert asyncio.run(broken(durable, tmp_path, moment)) == []


def test_no_win_leaves_the_store_before_the_sync_that_covers_it_p2(durable: Run) -> None:
    assert sorted(booking_id for _, won in announcements(durable) for booking_id in won) == sorted(durable.wins())
    assert uncovered(durable) == []


def test_in_dev_wins_leave_the_store_before_any_sync(dev: Run) -> None:
    """The control of the barrier."""
    assert uncovered(dev) != []


# -- the model of the disk --------------------------------------------------------------------------------------------


def hexed(text: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in text.encode())


def trace(*lines: str) -> list[str]:
    """A trace as strace would write it, from lines with plain names in «»."""
    return [
        f"1{'1' if '~' in line else '0'} {place}.0 " + re.sub("«(.*?)»", lambda m: hexed(m[1]), line.replace("~", ""))
        for place, line in enumerate(lines)
    ]


FILE = "«/d/appendonlydir/a.aof»"
OPENED = 'openat(AT_FDCWD<«/d»>, "«appendonlydir/a.aof»", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 7<«/d/appendonlydir/a.aof»> <0.000010>'
FOLDER = "fsync(8<«/d/appendonlydir»>) = 0 <0.000010>"
AB, CD = (f'write(7<{FILE}>, "«{text}»", 2) = 2 <0.000010>' for text in ("ab", "cd"))
SYNC, BEGINS = f"fdatasync(7<{FILE}>) = 0 <0.000010>", f"~fdatasync(7<{FILE}> <unfinished ...>"
RETURNS, ENDS = "~<... fdatasync resumed>) = 0 <0.5>", "+++ exited with 0 +++"
RENAMED = 'rename("«appendonlydir/a.aof»", "«appendonlydir/b.aof»") = 0 <0.000010>'


@pytest.mark.parametrize(
    ("lines", "least", "most"),
    [
        ([OPENED, AB], {}, {"a.aof": b"ab"}),
        ([OPENED, FOLDER, AB], {"a.aof": b""}, {"a.aof": b"ab"}),
        ([OPENED, FOLDER, AB, SYNC, CD], {"a.aof": b"ab"}, {"a.aof": b"abcd"}),
        ([OPENED, FOLDER, AB, BEGINS, CD], {"a.aof": b""}, {"a.aof": b"abcd"}),
        ([OPENED, FOLDER, AB, BEGINS, CD, RETURNS], {"a.aof": b"ab"}, {"a.aof": b"abcd"}),
        ([OPENED, FOLDER, AB, BEGINS, CD, RETURNS, SYNC, ENDS], {"a.aof": b"abcd"}, {"a.aof": b"abcd"}),
        ([OPENED, FOLDER, AB, SYNC, RENAMED], {"a.aof": b"ab"}, {"b.aof": b"ab"}),
        ([OPENED, AB, SYNC, RENAMED, FOLDER], {"b.aof": b"ab"}, {"b.aof": b"ab"}),
    ],
    ids=[
        "unsynced name",
        "synced name",
        "written since",
        "sync under way",
        "sync that began before",
        "synced",
        "renamed",
        "renamed for good",
    ],
)
def test_only_what_a_sync_has_covered_is_certain(lines: list[str], least: dict[str, bytes], most: dict[str, bytes]) -> None:
    disk = Disk.of(Path("/d"), calls(trace(*lines)))
    assert {name.rpartition("/")[2]: content for name, content in disk.left(len(lines), min).items()} == least
    assert {name.rpartition("/")[2]: content for name, content in disk.left(len(lines), max).items()} == most


@pytest.mark.parametrize(
    "line", [f"ftruncate(7<{FILE}>, 1) = 0 <0.1>", f'pwrite64(7<{FILE}>, "«ab»", 2, 0) = 2 <0.1>', OPENED, "something that is no call"]
)
def test_what_the_model_does_not_know_is_an_error(line: str) -> None:
    with pytest.raises(ValueError, match=r"nobody understands|does not know|knows no"):
        Disk.of(Path("/d"), calls(trace(OPENED, AB, line)))

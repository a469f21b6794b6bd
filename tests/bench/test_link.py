"""The benches of the link, each at a small scale on a real engine: they measure what they say, and find what is wrong."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import Progress

from bench import link, link_drain, link_flap, link_memory, link_push, link_recall, link_stall, link_storm, push, refusals
from bench.__main__ import names
from bench.peers.pushers import speaking
from bench.peers.rounds import Times
from bench.peers.speech import SIZE
from bench.serving import Served, serving
from bench.swarm.bookings import Book
from bench.swarm.crowd import held, phones
from bench.swarm.gateway import gateway

FEW = 40
ENOUGH_MS = 5_000.0  # for anything at this scale, however slow the machine: what takes longer waits for something that it should not
pytestmark = pytest.mark.timeout(300)  # an engine of its own for nearly each, and processes beside it


@pytest.fixture
def engine() -> Iterator[Served]:
    """An engine of the test's own: benches fill the market of their name."""
    with serving("dev") as served:
        yield served


def shown(table: object) -> str:
    console = Console(width=160)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def test_each_part_of_the_link_is_a_bench_of_its_own() -> None:
    assert {"link", *(f"link-{part}" for part in link.PARTS)} <= set(names())


def test_an_unknown_part_is_told_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        link.main(["pull"])
    assert "no such part: pull; there are memory, push" in capsys.readouterr().err


def test_the_whole_fails_when_one_part_does(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked: list[list[str]] = []
    monkeypatch.setattr(link_push, "main", lambda options: asked.append(options) or 1)
    monkeypatch.setattr(link_flap, "main", lambda options: asked.append(options) or 0)
    assert link.main(["push", "flap", "--devices", "7"]) == 1
    assert asked == [["--devices", "7"]] * 2
    assert "DOES NOT HOLD: push\nholds: flap" in capsys.readouterr().out


def test_an_idle_device_costs_less_than_the_bare_library_keeps_for_it(tmp_path: Path) -> None:
    """Measured in processes; 17 KB a device before connections were made slim, and 13 of the library alone."""
    found = link_memory.measure([link_memory.OURS, link_memory.BARE], 800, idle_s=1, calm_s=0)
    assert 4 < found["ours"].added < 16
    assert 6 < found["websockets"].added < 30
    assert found["ours"].cpu is not None
    assert [bool(one) for one in link_memory.asked(link_memory.Cost("", 17, 1, 8), 9)] == [False, False]
    link_memory.picture(found, 800, tmp_path / "memory.svg")
    assert "at most 16" in (tmp_path / "memory.svg").read_text()


def test_a_push_counts_when_the_last_of_five_has_it(engine: Served) -> None:
    with Progress(disable=True) as progress, held(speaking(engine), FEW, "ours", progress) as crowd:
        times = link_push.measure({link_push.OURS: crowd}, rounds=2, waves=3, rate=20, progress=progress)
    assert {name: [len(some) for some in rounds.values()] for name, rounds in times.taken.items()} == {
        link_push.OURS: [3, 3],
        link_push.POSTED: [3, 3],
    }
    assert all(times.at(name, 0.99) < ENOUGH_MS for name in times.names())
    assert link_push.heard("x", [[1.0, 5.0, 2.0, 3.0, 4.0]]) == [5.0]
    with pytest.raises(RuntimeError, match="not heard by all"):
        link_push.heard("x", [[1.0] * (SIZE - 1)])


def test_readers_that_stall_are_cut_and_the_others_hear_everything(engine: Served) -> None:
    server = speaking(engine)
    with Progress(disable=True) as progress, held(server, FEW, "ours", progress, lazy=3) as crowd:
        watched = link_stall.Watched(engine, server.pid)
        times, cuts = link_stall.measure(crowd, watched, stalled=3, rounds=1, waves=10, rate=5, progress=progress)
        assert crowd.ask("look")["failed"] == ""
    assert [len(times.taken[name][0]) for name in (link_stall.READING, link_stall.STALLED)] == [10 * SIZE] * 2
    assert len(cuts) == 3
    assert max(cuts) <= link_stall.CUT_S
    assert link_stall.p99_ratio(times) > 0
    assert times.at(link_stall.STALLED, 0.99) < ENOUGH_MS  # those who do not read slow nobody else
    assert "3 readers stalled" in shown(link_stall.cut_table(cuts, 3))


def test_after_a_kill_everybody_is_back_and_sees_what_is_open(engine: Served, tmp_path: Path) -> None:
    with Progress(disable=True) as progress, gateway(engine) as door, phones(engine, [door.url], FEW, progress) as crowd:
        storm = asyncio.run(link_storm.measure(crowd, door, Book(engine), FEW, 1.0, tmp_path))
    assert len(storm.back) == FEW
    assert storm.proposals >= 3 * SIZE
    assert (storm.missing, storm.ghosts, storm.twice) == ([], [], 0)
    assert storm.outage > 0
    assert "kill -9" in shown(link_storm.shown(storm))
    assert [bool(one) for one in link_storm.asked(storm)][1:] == [True] * 4


def test_a_gateway_that_ends_leaves_nobody_behind(engine: Served, tmp_path: Path) -> None:
    with Progress(disable=True) as progress, gateway(engine) as old, phones(engine, [old.url, engine.device_url], FEW, progress) as crowd:
        drain = asyncio.run(link_drain.measure(crowd, old, Book(engine), FEW, tmp_path))
    assert drain.moved == FEW
    assert len(drain.gaps) == FEW
    assert drain.proposals > 0
    assert (drain.missed, drain.missing, drain.ghosts) == ([], [], [])
    assert "SIGTERM" in shown(link_drain.shown(drain))


def test_who_loses_his_connection_comes_back_to_what_is_open(engine: Served, tmp_path: Path) -> None:
    with Progress(disable=True) as progress, phones(engine, [engine.device_url], FEW, progress) as crowd:
        flap = asyncio.run(link_flap.measure(crowd, Book(engine), FEW, share=5.0, seconds=8, rate=3, folder=tmp_path))
    assert flap.cuts > 5
    assert flap.returns
    assert flap.proposals >= SIZE * 12
    assert (flap.missing, flap.ghosts, flap.missing_at_rest, flap.ghosts_at_rest, flap.twice) == ([], [], [], [], 0)
    assert "at rest" in shown(link_flap.table(flap, "x"))


def test_a_recall_is_seen_for_every_accept(engine: Served, tmp_path: Path) -> None:
    with Progress(disable=True) as progress, phones(engine, [engine.device_url], FEW, progress) as crowd:
        accepts, recalls = asyncio.run(link_recall.measure(crowd, Book(engine, kinds=("take",)), 4, 5, tmp_path))
    assert accepts == len(recalls) == 4
    assert all(0 < ms < ENOUGH_MS for ms in recalls)


# -- what is asked ----------------------------------------------------------------------------------------------------


def times_of(**taken: float) -> Times:
    """The same time for each call of a contender, by its name in the bench."""
    times = Times()
    for name, ms in taken.items():
        for _ in range(100):
            times.add(name, 0, ms)
    return times


@pytest.mark.parametrize(("ms", "holds"), [(2.9, [True, True]), (3.1, [False, True]), (21.0, [False, False])])
def test_a_push_that_takes_longer_than_is_asked_fails_the_bench(ms: float, holds: list[bool]) -> None:
    """Of a bare publish: what the verb takes beside it is shown, and not asked."""
    assert [bool(one) for one in link_push.asked(times_of(**{link_push.OURS: ms, link_push.POSTED: 1_000}))] == holds


@pytest.mark.parametrize(
    ("accepts", "recalls", "holds"),
    [
        (2, [59.0, 60.0], [True, True]),
        (2, [59.0, 61.0], [True, False]),
        (3, [59.0, 60.0], [False, True]),
        (0, [], [False, False]),
    ],
)
def test_a_recall_that_takes_longer_or_does_not_come_fails_the_bench(accepts: int, recalls: list[float], holds: list[bool]) -> None:
    assert [bool(one) for one in link_recall.asked(accepts, recalls)] == holds


@pytest.mark.parametrize(
    ("others", "cut_s", "grown_kb", "holds"),
    [
        (13.0, 15.0, 256.0, [True, True, True]),
        (13.1, 15.0, 256.0, [False, True, True]),
        (13.0, 15.1, 256.0, [True, False, True]),
        (13.0, 15.0, 257.0, [True, True, False]),
    ],
)
def test_stalled_readers_who_slow_others_or_stay_or_pile_up_fail_the_bench(
    others: float, cut_s: float, grown_kb: float, holds: list[bool]
) -> None:
    times = times_of(**{link_stall.READING: 10.0, link_stall.STALLED: others})
    assert [bool(one) for one in link_stall.asked(times, [1.0, cut_s], grown_kb)] == holds


@pytest.mark.parametrize(
    ("frame_ms", "recall_ms", "heard", "holds"),
    [
        (7.0, 40.0, 2, [True] * 4),
        (9.0, 40.0, 2, [True, False, True, True]),
        (41.0, 40.0, 2, [True, False, False, True]),
        (7.0, 41.0, 2, [True, True, True, False]),
        (7.0, 40.0, 1, [False, True, True, True]),
    ],
)
def test_a_proposal_or_a_recall_that_takes_longer_than_is_asked_fails_the_bench(
    frame_ms: float, recall_ms: float, heard: int, holds: list[bool]
) -> None:
    run = push.Run()
    run.to_frame, run.to_told, run.accepted, run.told["b"] = [frame_ms / 1e3] * 9, {"b": recall_ms / 1e3}, {"b": 0.0}, heard
    assert [bool(one) for one in push.asked(run)] == holds
    run.imported = (1, 1.0)
    assert [bool(one) for one in push.asked(run)] == holds[:1]  # beside an import no such times are asked


@pytest.mark.parametrize(("ms", "waves", "holds"), [(50.0, 3, [True, True]), (51.0, 3, [True, False]), (50.0, 2, [False, True])])
def test_a_next_wave_that_takes_longer_than_is_asked_fails_the_bench(ms: float, waves: int, holds: list[bool]) -> None:
    run = refusals.Refusals()
    run.posted, run.to_next = {"b": 0.0}, {("b", wave): ms / 1e3 for wave in range(waves)}
    assert [bool(one) for one in refusals.asked(run)] == holds

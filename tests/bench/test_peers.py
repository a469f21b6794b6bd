"""The adapters to what one would use instead, on the real programs; a peer that is not installed is skipped, with a line that says so."""

import asyncio
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rich.progress import Progress

from bench import peers_claim, peers_match, peers_push
from bench.__main__ import names
from bench.peers import REQUIRED, Absent, children, postgres
from bench.peers.driver import drive, packed
from bench.peers.pushers import PUSHERS, Server, Starter, ours
from bench.peers.speech import SIZE
from bench.peers.town_sql import multirange, weekly
from bench.swarm.crowd import held
from bench.swarm.files import raise_limit
from bench.town import providers
from dispatch.store.embedded import Embedded
from tests.project.tree import ROOT

WAVES, SOCKETS = 4, 30


@contextmanager
def or_skipped() -> Iterator[None]:
    """Skips with the peer's own line when it is absent."""
    try:
        yield
    except Absent as absent:
        pytest.skip(str(absent))


def test_each_peer_has_its_bench() -> None:
    assert {"peers-match", "peers-claim", "peers-push"} <= set(names())


def test_a_program_that_is_absent_is_named_together_with_what_installs_it() -> None:
    with pytest.raises(Absent, match="no-such-server is not installed; `make bench-peers` installs it"):
        children.program("no-such-server")


# -- match ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "ranges"),
    [
        ("24/7", "{[0,10080)}"),
        ("Mo-Tu 09:00-12:30", "{[540,750),[1980,2190)}"),
        ("Su 22:00-06:00", "{[0,360),[9960,10080)}"),
    ],
)
def test_hours_become_minutes_of_a_week_that_is_a_circle(hours: str, ranges: str) -> None:
    assert weekly(hours) == ranges


def test_the_town_has_every_kind_of_zone_so_that_all_exact_tests_are_compared() -> None:
    kinds = {type(one.zone).__name__ for _, one in providers(200, random.Random(1))}
    assert kinds == {"CircleZone", "PolygonZone", "AreasZone"}
    assert multirange([]) == "{}"


def test_postgresql_finds_the_same_people_in_the_same_order_by_either_plan(tmp_path: Path) -> None:
    with or_skipped():
        postgres.binaries()

    async def too_long(home: Path) -> tuple[float, object]:
        async with postgres.connected(home) as connection:
            await connection.execute("SET statement_timeout = '20ms'")
            return await peers_match.timed(connection.fetch("SELECT pg_sleep(30)"))

    with postgres.cluster() as home, Embedded(tmp_path, "dev") as server:
        assert asyncio.run(too_long(home)) == (peers_match.LIMIT_MS, None)
        cases = asyncio.run(peers_match.run(server.url, home, 1_500, rounds=1, count=2, k=10))
    assert {case.name: case.same for case in cases} == {case.name: 2 * 60 for case in cases}
    assert [case.compared for case in cases] == [2 * 60] * 3
    often = cases[0]
    assert often.plans.keys() == {peers_match.WALK, peers_match.GIST}
    assert "by_rank" in often.plans[peers_match.WALK]
    assert "Bitmap" in often.plans[peers_match.GIST]
    assert often.answered == 60 * 10


@pytest.mark.parametrize(("same", "compared", "holds"), [(120, 120, True), (119, 120, False), (0, 0, False), (110, 110, True)])
def test_an_answer_that_is_not_ours_fails_the_bench_at_any_size(same: int, compared: int, holds: bool) -> None:
    case = peers_match.Case("often", same=same, compared=compared, better=peers_match.WALK)
    for name, ms in ((peers_match.OURS, 1.0), (peers_match.WALK, 2.0), (peers_match.GIST, 50.0)):
        case.times.add(name, 0, ms)
    assert all(peers_match.judged([case], 1_000)) is holds
    assert all(peers_match.judged([case], 1_000_000)) is holds
    said = peers_match.judged([case], 1_000_000)[0].line()
    assert said.startswith("holds: " if holds else "DOES NOT HOLD: ")
    assert f"{same} of {compared} answers the same as ours" in said


# -- claim ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clients", [1, 3])
async def test_the_driver_sends_each_command_once_and_brings_each_answer(server: Embedded, clients: int) -> None:
    path = server.url.removeprefix("unix://")
    seen = await drive(path, [packed("ECHO", str(n)) for n in range(20)], clients)
    assert sorted(int(answer) for answer in seen.answers) == list(range(20))
    assert len(seen.ms) == 20
    assert all(ms > 0 for ms in seen.ms)


def test_every_accept_wins_beside_as_many_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers_claim, "CALLS", {1: 2, 10: 12})
    levels = [peers_claim.Level(1), peers_claim.Level(10)]
    said = peers_claim.run(levels, rounds=2)
    assert [{name: list(map(len, level.times.taken[name].values())) for name in ("accept", "SET")} for level in levels] == [
        {"accept": [2, 2], "SET": [2, 2]},
        {"accept": [12, 12], "SET": [12, 12]},
    ]
    assert "accept" in said
    assert "SET" in said


# -- push -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*PUSHERS, peers_push.OURS])
def test_five_who_hold_a_socket_hear_each_message(name: str) -> None:
    start: Starter = ours if name == peers_push.OURS else PUSHERS[name]
    with (
        or_skipped(),
        start(2_000) as server,
        Progress(disable=True) as progress,
        held(server, SOCKETS, name, progress) as crowd,
    ):
        times, unheard = peers_push.measure({name: crowd}, rounds=2, waves=WAVES, rate=20, progress=progress)
    assert not any(unheard.values())
    moments = {peers_push.OURS, peers_push.POSTED} if name == peers_push.OURS else {name}
    assert set(times.taken) == moments
    for moment in moments:
        assert [len(found) for found in times.taken[moment].values()] == [WAVES * SIZE] * 2
        assert all(ms > 0 for found in times.taken[moment].values() for ms in found)


def test_a_contender_that_loses_a_socket_ends_the_measurement() -> None:
    with or_skipped(), PUSHERS["Starlette"](2_000) as server, Progress(disable=True) as progress:
        wrong = Server(server.version, ("speeches.Nchan", *server.speech[1:]))
        with pytest.raises(RuntimeError, match=r"^wrong: .*ConnectionError"), held(wrong, 3, "wrong", progress):
            pass


def test_more_sockets_than_a_process_may_have_are_refused_with_the_limit() -> None:
    with pytest.raises(SystemExit, match="raise `ulimit -Hn`"):
        raise_limit(10**9)


# -- who is absent ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("asked", "code"), [("", 0), ("required", 1)])
def test_a_bench_of_its_own_skips_who_is_absent_and_all_of_them_together_fail(
    asked: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing() -> Path:
        raise Absent("PostgreSQL is not installed; `make bench-peers` installs it")

    monkeypatch.setattr(peers_match, "binaries", missing)
    monkeypatch.setenv(REQUIRED, asked)
    assert peers_match.main([]) == code
    said = capsys.readouterr().err
    assert "skipped PostgreSQL: PostgreSQL is not installed" in said
    assert ("FAILED: not measured, as not installed: PostgreSQL" in said) is bool(code)


@pytest.mark.parametrize(("asked", "code"), [("", 0), ("required", 1)])
def test_push_without_one_of_its_peers_fails_when_all_are_asked_for(
    asked: str, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(_: int) -> object:
        raise Absent("nothing like it is installed")

    monkeypatch.setitem(PUSHERS, "NATS", missing)  # type: ignore[arg-type]
    monkeypatch.setenv(REQUIRED, asked)
    assert peers_push.main(["--sockets", "10", "--rounds", "1", "--waves", "2", "--rate", "20", "--peers", "NATS"]) == code
    said = capsys.readouterr()
    assert "skipped NATS: nothing like it is installed" in said.err
    assert ("FAILED: not measured, as not installed: NATS" in said.err) is bool(code)


def test_the_command_for_all_of_them_asks_for_all_of_them() -> None:
    [line] = [line for line in (ROOT / "Makefile").read_text().splitlines() if "bench peers-$$bench" in line]
    assert f"{REQUIRED}=required " in line

"""Coverage: service by zone by hour, how many could serve (R9)."""

from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dispatch.engine.coverage import gaps, hours_of
from dispatch.engine.requests import CoverageQuestion
from dispatch.errors import Unprocessable
from dispatch.model import Catalogue, Service, Trade
from dispatch.zones import cell_of
from tests.store.scene import PLACE, Scene, play

HERE = cell_of(round(PLACE["lat"] * 1e6), round(PLACE["lng"] * 1e6))
ELSEWHERE = {"type": "circle", "lat": 48.45, "lng": 2.34, "radius_km": 3}
HOUR = 3_600_000


@pytest.fixture
async def scene(redis_url: str, market: str, tmp_path: Path) -> AsyncIterator[Scene]:
    """Friday noon in Paris; four who cut, two of them from 14:00 to 17:00 only, one who colours all day; nobody washes."""
    async with play(redis_url, market, tmp_path) as scene:
        services = tuple(Service(code=code, trade="hair") for code in ("cut", "colour", "wash"))
        await scene.desk.put_catalogue(market, Catalogue(trades=(Trade(code="hair"),), services=services))
        for name, hours, skills in (
            ("ada", "24/7", ["cut", "colour"]), ("ben", "24/7", ["cut"]),
            ("cleo", "Mo-Su 14:00-17:00", ["cut"]), ("dan", "Mo-Su 14:00-17:00", ["cut"]),
        ):  # fmt: skip
            await scene.provider(name, hours=hours, catalogue=skills, reachable=False)
        yield scene


async def report(scene: Scene, **question: Any) -> dict[str, Any]:
    asked = msgspec.convert({"from_hour": 12, "until_hour": 20, "zones": (HERE,), **question}, CoverageQuestion, strict=False)
    return await scene.desk.coverage.report(await scene.desk.market(scene.market), asked)


async def counts(scene: Scene, service: str = "cut", **question: Any) -> list[int]:
    """The numbers of one service in one zone."""
    (told,) = (await report(scene, services=(service,), **question))["services"]
    (row,) = told["counts"]
    return list(row)


@pytest.mark.proves("R9.a")
async def test_each_hour_tells_how_many_could_serve_r9(scene: Scene) -> None:
    found = await report(scene)
    assert [at[11:16] for at in found["hours"]] == [f"{hour}:00" for hour in range(12, 20)]
    assert [one["counts"] for one in found["services"]] == [[[2, 2, 4, 4, 4, 2, 2, 2]], [[1] * 8], [[0] * 8]]
    assert [(one["service"], one["least"], one["most"]) for one in found["services"]] == [("cut", 2, 4), ("colour", 1, 1), ("wash", 0, 0)]


@pytest.mark.proves("R9.b")
async def test_a_service_below_the_threshold_is_reported_the_worst_first_r9(scene: Scene) -> None:
    found = await report(scene)
    assert (found["threshold"], found["below_threshold"]) == (3, ["wash", "colour", "cut"])
    (cut, *_) = found["services"]
    assert [(gap["from"][11:16], gap["until"][11:16], gap["providers"]) for gap in cut["gaps"]] == [
        ("12:00", "14:00", 2),
        ("17:00", "20:00", 2),
    ]
    await scene.settings(coverage_threshold=2)
    assert (await report(scene))["below_threshold"] == ["wash", "colour"]
    await scene.settings(coverage_threshold=1)
    assert (await report(scene))["below_threshold"] == ["wash"]


async def test_who_is_not_approved_could_not_serve_but_who_is_not_connected_could_r9(scene: Scene) -> None:
    await scene.provider("ben", catalogue=["cut"], status="pending", reachable=False)
    assert await counts(scene) == [1, 1, 3, 3, 3, 1, 1, 1]
    await scene.provider("ben", catalogue=["cut"], status="approved", reachable=False)
    await scene.connect("ada")
    assert await counts(scene) == [2, 2, 4, 4, 4, 2, 2, 2]


@pytest.mark.proves("R9.a")
async def test_a_visit_that_is_held_takes_its_hours_out_r9(scene: Scene) -> None:
    await scene.connect("ben")
    await scene.open(lead=4)  # 16:00 to 17:00, and half an hour of travel on both sides
    assert await scene.accept("ben") == "won"
    assert await counts(scene) == [2, 2, 4, 3, 3, 1, 2, 2]
    await scene.cancel()
    assert await counts(scene) == [2, 2, 4, 4, 4, 2, 2, 2]


@pytest.mark.proves("R3.b", "R9.a")
async def test_absences_and_other_days_count_r9(scene: Scene) -> None:
    await scene.provider("ben", catalogue=["cut"], absences=[{"from": "2027-03-13", "to": "2027-03-13"}], reachable=False)
    assert await counts(scene, days=2) == [2, 2, 4, 4, 4, 2, 2, 2, 1, 1, 3, 3, 3, 1, 1, 1]
    assert await counts(scene, **{"from": "2027-03-13"}) == [1, 1, 3, 3, 3, 1, 1, 1]


async def test_who_moves_to_another_rank_is_counted_once_r9(scene: Scene) -> None:
    await scene.provider("ben", catalogue=["cut"], initial_rank={"tier": "premier", "score": 1.0, "orders": 50}, reachable=False)
    assert await counts(scene) == [2, 2, 4, 4, 4, 2, 2, 2]


async def test_zones_without_being_asked_for_are_those_that_somebody_reaches_r9(scene: Scene) -> None:
    await scene.provider("eve", zone=ELSEWHERE, catalogue=["cut"], reachable=False)
    found = await report(scene, zones=())
    assert 2 <= len(found["zones"]) <= 120
    cut = dict(zip([zone["zone"] for zone in found["zones"]], found["services"][0]["counts"], strict=True))
    assert max(map(max, cut.values())) == 4
    away = [row for zone, row in zip(found["zones"], found["services"][0]["counts"], strict=True) if zone["lat"] < 48.6]
    assert away
    assert {number for row in away for number in row} == {1}
    assert all(any(row) for row in cut.values())  # a zone nobody comes near is no part of the market


async def test_hours_that_are_over_are_left_out_r9(scene: Scene) -> None:
    assert len(await counts(scene, from_hour=0, until_hour=24)) == 12
    await scene.later(minutes=1)
    assert len(await counts(scene, from_hour=0, until_hour=24)) == 11


@pytest.mark.parametrize(
    ("question", "word"),
    [
        ({"services": ("shave",)}, "shave"), ({"zones": ("nowhere",)}, "nowhere"), ({"zones": ("8029fffffffffff",)}, "resolution 5 to 7"),
        ({"from": "2027-03-11"}, "between today"), ({"from": "2027-03-30"}, "horizon"), ({"from_hour": 9, "until_hour": 9}, "until_hour"),
    ],
)  # fmt: skip
async def test_what_cannot_be_reported_is_told_why_r9(scene: Scene, question: dict[str, Any], word: str) -> None:
    with pytest.raises(Unprocessable, match=word):
        await report(scene, **question)


async def test_a_report_is_bounded_r9(scene: Scene) -> None:
    many = tuple(Service(code=f"s{number}", trade="hair") for number in range(2_000))
    await scene.desk.put_catalogue(scene.market, Catalogue(trades=(Trade(code="hair"),), services=many))
    with pytest.raises(Unprocessable, match="over 200,000 numbers"):
        await report(scene, days=7, from_hour=0, until_hour=24)


@pytest.mark.parametrize(("day", "noon_before", "hours"), [("2027-03-28", 1_806_145_200_000, 5), ("2026-10-25", 1_792_836_000_000, 7)])
async def test_hours_follow_the_clocks_of_the_market_r9(
    redis_url: str, market: str, tmp_path: Path, day: str, noon_before: int, hours: int
) -> None:
    """In Paris the hour from 2 to 3 is skipped on the one Sunday, and comes twice on the other."""
    async with play(redis_url, market, tmp_path, moment=noon_before) as scene:
        found = await scene.desk.market(market)
        asked = msgspec.convert({"from": day, "from_hour": 0, "until_hour": 6}, CoverageQuestion)
        moments = list(hours_of(found, asked))
        assert [later - sooner for sooner, later in pairwise(moments)] == [HOUR] * (hours - 1)


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ([3, 3], []), ([2, 3], [(0, 1, 2)]), ([3, 2], [(1, 2, 2)]), ([1, 0, 2], [(0, 3, 0)]), ([0, 3, 1], [(0, 1, 0), (2, 3, 1)]), ([], []),
    ],
)  # fmt: skip
def test_gaps_are_runs_of_hours_r9(row: list[int], expected: list[tuple[int, int, int]]) -> None:
    assert list(gaps(row, [hour * HOUR for hour in range(len(row))], 3)) == [(a * HOUR, b * HOUR, n) for a, b, n in expected]


def test_a_gap_ends_where_the_next_hour_is_of_another_day_r9() -> None:
    assert list(gaps([0, 0], [0, 24 * HOUR], 3)) == [(0, HOUR, 0), (24 * HOUR, 25 * HOUR, 0)]

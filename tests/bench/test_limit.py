"""What the simulator says of its own figures: how sure they are, and what no schedule can win."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from bench.pace import limit, offers
from bench.pace.figures import Sample, figures, judged, quantiles, sample
from bench.pace.frontier import CADENCES, PACED, Line, Point, shorter
from bench.pace.world import ACCEPT, MINUTE, SCENARIOS, draw
from tests.bench.test_pace import ROW, played, some

# -- how sure ---


def one_by_one(times: Sequence[float], late: Sequence[int]) -> Sample:
    return Sample(np.array(times), np.array(late), np.ones(len(times), dtype=bool))


def test_the_figures_of_a_sample_are_those_of_the_whole_when_each_booking_is_drawn_once() -> None:
    world, run = played(PACED)
    can_be = np.ones(60, dtype=bool)
    found, whole = sample(judged(world, run, 0.0), can_be), figures(world, run, 1.0, 0.0)
    late, p50 = quantiles(found, np.arange(60)[None, :], 0.5)
    assert (late[0], p50[0]) == (pytest.approx(whole.late), pytest.approx(whole.even50))


def test_the_interval_holds_the_share_and_is_narrower_with_more_bookings() -> None:
    widths = []
    for count in (60, 960):
        slow = np.random.default_rng(1).exponential(10.0, count)
        lines = []
        for family, factor in ((CADENCES[0], 1.0), (PACED, 0.7)):
            points = []
            for speed, each in ((1.0, 4), (2.0, 1)):
                rows = one_by_one(factor * slow / speed, [int(number % each == 0) for number in range(count)])
                told = some(late=1 / each, even50=float(np.median(rows.times)), even95=float(np.quantile(rows.times, 0.95)))
                points.append(Point(speed=speed, figures=told, sample=rows))
            lines.append(Line(family=family, points=tuple(points)))
        found = shorter(lines[0], lines[1], 0.5, 0.95)
        assert found is not None
        assert found.value == pytest.approx(0.3)
        assert found.low <= found.value + 1e-9
        assert found.high >= found.value - 1e-9
        widths.append(shorter(lines[0], uneven(lines[1]), 0.5, 0.95))
    assert widths[0].high - widths[0].low > 2 * (widths[1].high - widths[1].low) > 0


def uneven(line: Line) -> Line:
    """The same with every other booking twice as slow, so that what is drawn matters."""
    points = []
    for point in line.points:
        times = point.sample.times * np.where(np.arange(len(point.sample.times)) % 2, 2.0, 1.0)
        points.append(replace(point, sample=Sample(times, point.sample.late, point.sample.fillable)))
    return Line(family=line.family, points=tuple(points))


# -- what no schedule can win ---


def exponential(yes: float, mean: float) -> limit.Market:
    """Exponential delays, by their quantiles."""
    return limit.Market(np.array([yes]), -mean * np.log(1 - (np.arange(2_000) + 0.5) / 2_000))


def test_late_accepts_are_what_was_asked_in_chances_less_the_fill() -> None:
    """Two asked at once, and one of them late when both would accept: of each fill."""
    assert limit.late(exponential(0.3, 10), np.array([0.0, 0.0])) == pytest.approx(0.3 * 0.3 / (1 - 0.7 * 0.7))
    assert limit.late(exponential(0.3, 10), np.array([0.0])) == pytest.approx(0.0)


def test_nobody_has_accepted_by_when() -> None:
    of = exponential(0.5, 10)
    assert limit.nobody(of, np.array([0.0, 10.0]), np.array([0.0, 10.0, 1e9])) == pytest.approx([1, 1 - 0.5 * 0.632, 0.25], abs=1e-3)
    assert limit.time_to(of, np.zeros(14)) == pytest.approx(-10 * np.log(1 - (1 - 0.05 ** (1 / 14)) / 0.5), rel=0.01)


def test_the_best_schedule_is_no_worse_than_an_even_one_and_no_later_than_wanted() -> None:
    of = exponential(0.2, 10)
    found = limit.limit(of, 0.5, told=False, tries=150)
    assert limit.late(of, np.array(found.moments)) <= 0.5 + 1e-3
    assert 0 < found.shorter < 0.5
    assert limit.limit(of, 0.5, told=False, tries=30).shorter <= found.shorter


def test_to_be_told_of_refusals_helps() -> None:
    silent, says_no = {**ROW, "outcome": "no_response", "response_s": ""}, {**ROW, "outcome": "reject", "response_s": "60"}
    yes = [{**ROW, "response_s": str(60 * (at + 1))} for at in range(40)]
    rows = offers.offers_of([*yes, *[says_no] * 40, *[silent] * 20])
    alone, told = (limit.limit(limit.market(rows, told=told), 0.5, told=told, tries=0).even for told in (False, True))
    assert told < alone


def alike(*yes: float, delays: Sequence[float] = (1.0,), most: int = 4) -> limit.Market:
    return limit.Market(np.array(yes), np.array(delays), 45.0, most)


@pytest.mark.parametrize(
    ("yes", "moments", "late"),
    [
        ((0.5,), (0, 2), 0.0),  # the second is asked when it is known that the first does not
        ((0.5,), (0, 0), 1 / 3),  # one accept of two asked, three of four filled
        ((1.0,), (0, 0, 0), 2.0),
        ((1.0, 0.0), (0, 0), 1.0),  # two late of one booking in two
        ((1.0, 0.0), (0, 2), 0.0),
        ((0.5,), (0, 44.5), 1 / 4 / (1 / 2)),  # whoever is asked too late to answer is too late
    ],
)
def test_late_accepts_of_a_schedule(yes: Sequence[float], moments: Sequence[float], late: float) -> None:
    assert limit.late(alike(*yes), np.array(moments)) == pytest.approx(late)


def test_the_time_counts_only_those_that_can_be_filled() -> None:
    delays = np.arange(1.0, 11.0)
    always = limit.time_to(alike(1.0, delays=delays), np.array([0.0]))
    assert always == pytest.approx(10, abs=0.01)
    assert limit.time_to(alike(1.0, 0.0, delays=delays), np.array([0.0])) == pytest.approx(always)


def test_the_best_schedule_makes_as_many_late_accepts_as_the_even_one_and_is_never_slower() -> None:
    of = alike(0.3, delays=np.arange(0.5, 20.0), most=12)
    found = limit.limit(of, 0.5, told=False, tries=60)
    assert found.best < found.even
    assert limit.late(of, np.array(found.moments)) == pytest.approx(0.5, abs=0.01)
    assert limit.time_to(of, np.array(found.moments)) == found.best
    assert limit.limit(of, 0.5, told=False, tries=60) == found


def test_an_assumed_market_accepts_as_its_scenario_does() -> None:
    scenario = replace(SCENARIOS[1], providers=3_000)
    world = draw(scenario, 400, 1)
    chances = [one for visit in world.visits for one in visit.chances]
    of, told = (limit.assumed(scenario, told=one) for one in (False, True))
    assert of.yes.mean() == pytest.approx(np.mean(chances), rel=0.1)
    after = [ms / MINUTE for visit in world.visits for does, ms in zip(visit.does, visit.after_ms, strict=True) if does == ACCEPT]
    assert np.median(of.delays) == pytest.approx(np.median(after), rel=0.15)
    assert all(told.yes > of.yes)
    assert told.fillable == pytest.approx(of.fillable, abs=0.03), "who refuses does not make room for one who does not"

"""The simulator: the same draws for every policy, no rule of dispatching broken, and figures that are what they are called."""

import json
from collections.abc import Sequence
from itertools import pairwise
from math import inf, sqrt
from pathlib import Path
from xml.etree import ElementTree

import pytest
from msgspec.structs import replace as changed

from bench import simulate
from bench.pace import frontier as pace_frontier
from bench.pace import offers
from bench.pace.figures import Figures, between, figures, gini
from bench.pace.frontier import (
    CADENCES,
    KNOWING,
    PACED,
    QUICK,
    WARM,
    Family,
    Line,
    Point,
    Share,
    Verdict,
    can_be_filled,
    fillable,
    sweep,
    verdicts,
)  # fmt: skip
from bench.pace.picture import frontier
from bench.pace.play import Play
from bench.pace.world import ACCEPT, HOUR, MINUTE, SCENARIOS, SILENT, VISIT_MS, Scenario, World, draw
from dispatch.habits import accepting, chance
from dispatch.hours import in_range
from dispatch.lifecycle import BookingState
from dispatch.model import Tier

SMALL = Scenario(name="small", about="a small one", lead_h=2, search_min=45, providers=60, a_day=60, fit=(4, 25))
FAMILIES = (CADENCES[0], PACED, QUICK)
ROW = {"outcome": "accept", "response_s": "1200", "n_reviews": "3", "n_listings": "1", "rating": "4.5"}

HALF = Share(value=0.5, low=0.4, high=0.6)

each = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


def played(family: Family, count: int = 60, seed: int = 3, scenario: Scenario = SMALL) -> tuple[World, Play]:
    world = draw(scenario, count, seed)
    return world, Play(world, family.settings(scenario, 1.0)).run()


def some(**changes: float) -> Figures:
    numbers = dict.fromkeys(Figures.__slots__, 1.0)
    return Figures(**{**numbers, "bookings": 100, **changes})  # type: ignore[arg-type]


def line(family: Family, points: Sequence[tuple[float, float, float]]) -> Line:
    """Points: late, p50, p95."""
    return Line(
        family=family,
        points=tuple(Point(speed=at, figures=some(late=late, even50=p50, even95=p95)) for at, (late, p50, p95) in enumerate(points, 1)),
    )


# -- the same world for all -------------------------------------------------------------------------------------------


def test_the_same_seed_draws_the_same_world_and_another_one_another() -> None:
    assert draw(SMALL, 40, 1) == draw(SMALL, 40, 1) != draw(SMALL, 40, 2)


def test_more_bookings_leave_the_providers_and_every_answer_as_they_were() -> None:
    few, many = draw(SMALL, 20, 1), draw(SMALL, 40, 1)
    assert few.pros == many.pros
    assert [(one.fit, one.does, one.after_ms) for one in few.visits] == [(one.fit, one.does, one.after_ms) for one in many.visits[:20]]


@each
def test_a_run_is_the_same_when_it_is_played_again(family: Family) -> None:
    (world, one), (_, other) = played(family), played(family)
    assert figures(world, one, 1.0, 0.0) == figures(world, other, 1.0, 0.0)


def test_what_a_provider_does_with_a_booking_is_the_same_under_every_policy() -> None:
    runs = [played(family)[1] for family in FAMILIES]
    for number in range(1, 61):
        seats = [run.bookings[number].seats for run in runs]
        for no in set(seats[0]) & set(seats[1]) & set(seats[2]):
            assert len({(one[no].does, one[no].answers_at - one[no].sent_at if one[no].does != SILENT else 0) for one in seats}) == 1


# -- what holds in every run ------------------------------------------------------------------------------------------


@each
def test_each_booking_ends_once_and_is_won_by_one_who_was_asked_and_wanted_it(family: Family) -> None:
    _, run = played(family)
    for booking in run.bookings.values():
        assert booking.state in (BookingState.ACCEPTED, BookingState.UNFILLED)
        assert (booking.filled_at is not None) == (booking.state is BookingState.ACCEPTED)
        if booking.filled_at is not None:
            seat = booking.seats[booking.winner]
            assert (seat.does, seat.answers_at) == (ACCEPT, booking.filled_at)
            assert all(other.sent_at <= booking.filled_at for other in booking.seats.values()), "nobody is asked after the end"
    assert sum(run.won.values()) == sum(one.filled_at is not None for one in run.bookings.values())


@each
def test_nobody_holds_two_visits_that_overlap_p7(family: Family) -> None:
    world, run = played(family)
    starts: dict[int, list[int]] = {}
    for booking in run.bookings.values():
        if booking.filled_at is not None:
            starts.setdefault(booking.winner, []).append(booking.visit.start)
    assert any(len(ones) > 1 for ones in starts.values())
    assert all(later - earlier >= VISIT_MS for ones in starts.values() for earlier, later in pairwise(sorted(ones)))
    assert world.visits


@each
def test_nobody_is_asked_in_the_night(family: Family) -> None:
    scenario = Scenario(name="far", about="", lead_h=50, quick_min=5, slow_min=45, providers=40, a_day=40, fit=(4, 20))
    _, run = played(family, 40, scenario=scenario)
    settings = family.settings(scenario, 1.0)
    assert settings.quiet_hours is not None
    sent = [(seat.sent_at, booking.visit.start) for booking in run.bookings.values() for seat in booking.seats.values()]
    assert sent
    assert not [at for at, start in sent if start - at >= 6 * HOUR and in_range(settings.quiet_hours, settings.time_zone, at)]


@each
def test_those_of_a_better_tier_are_asked_first_r5(family: Family) -> None:
    world, run = played(family)
    tiers = {pro.no: list(Tier).index(pro.tier) for pro in world.pros}
    first = run.bookings[1]  # nobody is busy yet
    asked = [tiers[no] for no in first.seats]
    assert asked == sorted(asked, reverse=True)
    assert min(asked) >= max((tiers[no] for no in first.visit.fit if no not in first.seats), default=0)


@each
def test_who_is_asked_does_not_depend_on_what_he_would_answer(family: Family) -> None:
    """Would-be accepters among those asked are as many as their chances say (WAVES.md 2); a policy that peeked would break it."""
    scenario = Scenario(name="even", about="", lead_h=2, search_min=45, providers=80, a_day=400, fit=(4, 25), liking=0, yes=(2, 5))
    world, run = played(family, 400, scenario=scenario)
    yes = {pro.no: min(0.97, pro.yes) for pro in world.pros}
    asked = [(yes[no], seat.does == ACCEPT) for booking in run.bookings.values() for no, seat in booking.seats.items()]
    expected, spread = sum(chance for chance, _ in asked), sqrt(sum(chance * (1 - chance) for chance, _ in asked))
    assert abs(sum(does for _, does in asked) - expected) < 4 * spread


def test_who_is_asked_at_once_fills_all_that_can_be_filled_and_is_late_most() -> None:
    world = draw(SMALL, 60, 3)
    all_at_once = figures(world, Play(world, Family(name="all", size=50).settings(SMALL, 1e6)).run(), 1.0, 0.0)
    paced = figures(world, Play(world, PACED.settings(SMALL, 1.0)).run(), 1.0, 0.0)
    assert can_be_filled(world, 0.0) >= paced.fill - 0.05
    assert all_at_once.late > 2 * paced.late
    assert all_at_once.p50 < paced.p50


def test_what_is_learnt_of_providers_goes_with_what_they_are() -> None:
    scenario = Scenario(name="few", about="", lead_h=2, search_min=45, providers=20, a_day=30, fit=(8, 16), liking=0)
    world, run = played(PACED, 300, scenario=scenario)
    ranked = sorted(world.pros, key=lambda pro: pro.yes)
    low, high = ([run.keen(pro.no) for pro in part] for part in (ranked[:5], ranked[-5:]))
    assert sum(high) > 1.3 * sum(low)


# -- figures ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("counts", "expected"), [([1, 1, 1, 1], 0.0), ([0, 0, 0, 8], 0.75), ([], 0.0), ([0, 0], 0.0)])
def test_gini(counts: list[int], expected: float) -> None:
    assert gini(counts) == pytest.approx(expected)


def test_a_policy_that_leaves_bookings_unfilled_is_not_quicker_for_it() -> None:
    world, run = played(CADENCES[0])
    alone, beside = figures(world, run, figures(world, run, 1.0, 0.0).fill, 0.0), figures(world, run, 1.0, 0.0)
    assert alone.even95 == alone.p95
    assert beside.even95 > alone.even95 or beside.fill == 1
    assert figures(world, run, 1.2, 0.0).even95 == inf


def test_figures_are_read_between_two_speeds() -> None:
    found = between(some(late=0.4, p95=30, even95=inf), some(late=0.8, p95=20, even95=20), 0.5)
    assert (found.late, found.p95, found.even95) == (pytest.approx(0.5), pytest.approx(27.5), inf)


def test_a_line_says_nothing_of_what_it_never_was() -> None:
    found = line(PACED, [(0.4, 8, 30), (0.6, 6, 20), (0.9, 4, 15)])
    assert found.at(0.3) is None
    assert (found.at(0.5) or some()).even95 == pytest.approx(25)


def test_a_sweep_ends_on_both_sides_of_what_is_wanted() -> None:
    world = draw(SMALL, 60, 3)
    can_be = fillable(world)
    at_one = figures(world, Play(world, PACED.settings(SMALL, 1.0)).run(), float(can_be.mean()), WARM).late
    line = sweep(world, PACED, can_be, (0.95 * at_one, 1.05 * at_one))
    late = [point.figures.late for point in line.points]
    assert len(late) >= 4, "and once more where each should be"
    assert late[0] <= 0.95 * at_one
    assert late[-1] >= 1.05 * at_one
    assert [point.speed for point in line.points] == sorted(point.speed for point in line.points)


def test_who_is_told_all_chances_holds_everybody_for_as_keen_as_he_is() -> None:
    world = draw(SMALL, 40, 3)
    run = Play(world, KNOWING.settings(SMALL, 1.0), knows=True).run()
    asked = [
        (
            booking.visit.chances[booking.visit.fit.index(no)],
            chance(accepting(seat.urgency, {}).earned(booking.deadline - seat.sent_at), seat.keen),
        )
        for booking in list(run.bookings.values())[:4]  # before anything is learnt of the class
        for no, seat in booking.seats.items()
    ]
    assert len(asked) > 10
    assert all(told == pytest.approx(true, abs=0.01) for true, told in asked if true < 0.8)


@pytest.mark.parametrize(("paced", "quick", "holds"), [((6, 20), (4, 19), True), ((6, 25), (4, 19), False), ((6, 20), (5.5, 19), False)])
def test_it_holds_when_both_are_as_much_shorter_as_wanted(paced: tuple[float, float], quick: tuple[float, float], holds: bool) -> None:
    lines = [
        line(CADENCES[0], [(0.4, 6, 30), (0.9, 6, 30)]),
        line(PACED, [(0.4, *paced), (0.9, *paced)]),
        line(QUICK, [(0.4, *quick), (0.9, *quick)]),
    ]
    found = verdicts(draw(SMALL, 50, 1), lines, (0.5,))
    assert [one.holds for one in found] == [holds, holds]
    assert [one.beside for one in found] == ["cadence", "the best cadence"]


def test_where_one_of_the_two_never_was_nothing_holds() -> None:
    lines = [
        line(CADENCES[0], [(0.6, 6, 30), (0.9, 6, 30)]),
        line(PACED, [(0.4, 6, 10), (0.9, 6, 10)]),
        line(QUICK, [(0.4, 1, 1), (0.9, 1, 1)]),
    ]
    assert [one.holds for one in verdicts(draw(SMALL, 50, 1), lines, (0.5,))] == [False, False]
    assert Verdict(scenario="x", late=0.5, beside="y", p95=None, quick_p50=HALF, quick_p95=HALF).holds is False


# -- real offers ------------------------------------------------------------------------------------------------------


def test_an_offer_says_what_became_of_it_and_how_soon() -> None:
    found = offers.offers_of([ROW, {**ROW, "outcome": "reject", "response_s": "60"}, {**ROW, "outcome": "no_response", "response_s": ""}])
    assert [(one.does, one.after_ms) for one in found] == [(0, 1_200_000 / offers.FASTER), (1, 60_000 / offers.FASTER), (2, 1_000)]


@pytest.mark.parametrize("outcome", ["ask_info", "later", "counter"])
def test_who_asks_or_postpones_has_not_decided(outcome: str) -> None:
    assert offers.offers_of([{**ROW, "outcome": outcome}])[0].does == SILENT


def test_a_provider_answers_as_those_of_his_kind_did() -> None:
    eager = [{**ROW, "n_reviews": "50"}] * 60
    silent = [{**ROW, "outcome": "no_response", "response_s": "", "n_reviews": "0"}] * 60
    world = offers.world_of(offers.offers_of([*eager, *silent]), 50, 1)
    kinds = {pro.no: pro.kind for pro in world.pros}
    told = {(kinds[no], does) for visit in world.visits for no, does in zip(visit.fit, visit.does, strict=True)}
    assert len(told) == 2


@pytest.mark.parametrize(("lines", "words"), [([], "no offers"), ([{"outcome": "accept"}], "line 2 has no response_s")])
def test_a_file_that_is_another_is_refused_in_words(lines: list[dict[str, str]], words: str) -> None:
    with pytest.raises(offers.NoOffers, match=words):
        offers.offers_of(lines)


def test_without_the_file_it_says_where_it_looked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(["--scenario", "real_offers", "--offers", str(tmp_path / "none.gz")]) == 2
    assert "no file of offers at" in capsys.readouterr().err


# -- the bench --------------------------------------------------------------------------------------------------------


def test_the_picture_is_an_svg_with_a_line_for_each_family() -> None:
    lines = [line(family, [(0.4, 8, 30), (0.9, 4, inf)]) for family in FAMILIES]
    root = ElementTree.fromstring(frontier("A & B", lines, lambda one: one.even95, "minutes", (0.5,)))
    labels = [node.text for node in root.iter() if node.tag.endswith("text")]
    assert {family.name for family in FAMILIES} <= set(labels)
    assert sum(node.tag.endswith("circle") for node in root.iter()) == len(FAMILIES), "what is infinite has no place"


def test_every_line_of_a_picture_has_a_colour_of_its_own() -> None:
    lines = [line(family, [(0.4, 8, 30), (0.9, 4, 20)]) for family in simulate.FAMILIES]
    root = ElementTree.fromstring(frontier("all", lines, lambda one: one.even95, "minutes", ()))
    drawn = [node.get("stroke") for node in root.iter() if node.get("stroke-width") == "2"]
    assert len(set(drawn)) == len(drawn) == len(simulate.FAMILIES)


@pytest.mark.parametrize("wrong", [["--bookings", "10"], ["--scenario", "nowhere"]])
def test_bad_choices_are_refused(wrong: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        simulate.main(wrong)
    assert ended.value.code == 2
    assert wrong[1] in capsys.readouterr().err


def test_a_day_of_a_city_is_played_by_each_policy(capsys: pytest.CaptureFixture[str]) -> None:
    assert simulate.main(["--day", "--bookings", "60"]) == 0
    said = capsys.readouterr().out
    assert all(family.name in said for family in FAMILIES)


def test_what_is_written_are_all_figures_and_nothing_infinite(tmp_path: Path) -> None:
    lines = {"small": [line(PACED, [(0.4, 8, inf)])]}
    simulate.written(tmp_path / "out.json", 7, lines, [])
    body = json.loads((tmp_path / "out.json").read_text())
    assert body["points"]["small"]["paced"][0]["even95"] is None
    assert body["seed"] == 7


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulate, "FAMILIES", (CADENCES[0], PACED, QUICK))
    monkeypatch.setattr(pace_frontier, "TRIES", 1)
    written = []
    for run, seed in enumerate(("1", "1", "2")):
        folder = tmp_path / str(run)
        folder.mkdir()
        files = ["--pictures", str(folder), "--json", str(folder / "all.json")]
        simulate.main(["--scenario", "last_minute", "--bookings", "50", "--seed", seed, *files])
        written.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert set(written[0]) == {"all.json", "pacing-last-minute.svg"}
    assert written[0] == written[1]
    assert written[0]["all.json"] != written[2]["all.json"]


def test_scenarios_differ_in_what_they_are_about() -> None:
    assert len({scenario.about for scenario in SCENARIOS}) == len(SCENARIOS) == 3
    assert all(scenario.search_min is None or scenario.search_min * MINUTE < scenario.lead_h * HOUR for scenario in SCENARIOS)
    assert changed(PACED.settings(SMALL, 2.0), wave_policy="cadence").pacing.speed == 2.0

"""Who fits a booking, why not, and in which order those who fit are asked (R2, R3, R5)."""

from datetime import UTC, datetime
from typing import Any

import pytest

from dispatch.matcher import CROWD, Person, Query, bucket_of, disturbed, fits, order, tier_of, under_performing
from dispatch.model import CircleZone, DailyRange, MarketSettings, ProviderSettings, Reason, Span, Tier
from dispatch.zones import Circle, cells_of

MARKET = MarketSettings(time_zone="Europe/Paris", open_proposals_cap=2)
HOUR = 3_600_000
NOON = int(datetime(2026, 7, 8, 10, tzinfo=UTC).timestamp() * 1_000)  # 12:00 in Paris, a Wednesday
PLACE = (48_856_600, 2_352_200)


def asked(*windows: Span, services: tuple[str, ...] = ("cut",)) -> Query:
    spans = windows or (Span(NOON, NOON + HOUR),)
    return Query(lat=PLACE[0], lng=PLACE[1], cells=cells_of(*PLACE), areas=(), services=services, windows=spans, gap=1_800_000)


def someone(no: int = 1, settings: dict[str, Any] | None = None, **state: Any) -> Person:
    usual = {
        "name": "P",
        "trade": "hair",
        "catalogue": ("cut",),
        "zone": CircleZone(lat=48.85, lng=2.35, radius_km=5),
        "hours": "Mo-Fr 09:00-18:00",
    }
    chosen = ProviderSettings(**{**usual, **(settings or {})})
    return Person(**{"no": no, "settings": chosen, "shape": Circle(48_850_000, 2_350_000, 5_000), **state})


@pytest.mark.proves("R1.a", "R1.b")
def test_who_fits_and_who_comes_first_depends_on_these_things_alone_r1() -> None:
    """Whoever adds an input to matching says here which rule lets it in."""
    bookings = {"visits", "live", "asked", "asked_at"}  # those he holds, has before him, was asked for (R5)
    rank = {"tier", "score", "behind"}  # R7
    his_own = {"settings", "shape", "blocked", "available"}
    named = {"reachable", "paused"}  # R14, R40
    who = {"no", "slot"}  # the id, and his place in the index
    by_choice_of_a_market = {"keen", "slow"}  # they say nothing unless it sets `wave_order`
    assert set(Person.__struct_fields__) == bookings | rank | his_own | named | who | by_choice_of_a_market
    assert set(Query.__struct_fields__) == {"lat", "lng", "cells", "areas", "services", "windows", "gap"}
    like = {"visits": (), "live": 1, "asked": False, "asked_at": 7, "tier": Tier.STANDARD, "score": 6.0}
    people = [someone(2, {"name": "Zoe"}, slot=1, keen=0.1, slow=9.0, **like), someone(1, {"name": "Ada"}, slot=2, **like)]
    assert [person.no for person in order(people)] == [1, 2]
    assert fits(asked(), people[0], MARKET, NOON) == fits(asked(), people[1], MARKET, NOON)


@pytest.mark.proves("R2.a", "R2.b", "R2.c", "R2.d", "R2.g", "R2.h", "R2.i", "R2.j", "R2.k", "R2.l", "R3.a", "R11.a")
@pytest.mark.parametrize(
    ("person", "reasons"),
    [
        (someone(), []),
        (someone(settings={"status": "pending"}), ["status"]),
        (someone(shape=Circle(45_000_000, 2_350_000, 5_000)), ["zone"]),
        (someone(settings={"catalogue": ("colour",)}), ["catalogue"]),
        (someone(settings={"hours": "Mo-Fr 12:01-18:00"}), ["hours"]),
        (someone(settings={"hours": "Mo-Fr 09:00-12:59"}), ["hours"]),
        (someone(visits=(Span(NOON + 89 * 60_000, NOON + 2 * HOUR),)), ["overlap"]),
        (someone(visits=(Span(NOON + 90 * 60_000, NOON + 2 * HOUR),)), []),  # just the gap away
        (someone(blocked=True), ["blocked"]),
        (someone(reachable=False), ["unreachable"]),
        (someone(available=False), ["unreachable"]),
        (someone(paused=True), ["paused"]),
        (someone(live=1), []),
        (someone(live=2), ["cap"]),
        (someone(asked=True), ["asked"]),
        (someone(settings={"do_not_disturb": DailyRange(from_="12:00", to="12:30")}), ["do_not_disturb"]),
        (someone(settings={"do_not_disturb": DailyRange(from_="12:01", to="12:00")}), []),
        (someone(settings={"status": "inactive", "catalogue": ()}, paused=True, live=9), ["status", "catalogue", "paused", "cap"]),
    ],
)
def test_each_filter_leaves_out_with_its_reason_in_the_order_of_the_rule(person: Person, reasons: list[str]) -> None:
    assert fits(asked(), person, MARKET, NOON).reasons == tuple(Reason(name) for name in reasons)


@pytest.mark.proves("R2.n")
def test_of_several_windows_those_that_fit_are_told_and_the_last_that_failed_gives_the_reason() -> None:
    early, late, night = (Span(NOON + hours * HOUR, NOON + hours * HOUR + HOUR) for hours in (-2, 3, 10))
    person = someone(visits=(Span(late.start, late.end),))
    assert fits(asked(early, late, night), person, MARKET, NOON).windows == (0,)
    assert fits(asked(late, night), person, MARKET, NOON).reasons == (Reason.OVERLAP,)
    assert fits(asked(night), person, MARKET, NOON).reasons == (Reason.HOURS,)


@pytest.mark.proves("R3.a")
@pytest.mark.parametrize(
    ("begin", "end", "minute", "quiet"),
    [("22:00", "07:00", 1_320, True), ("22:00", "07:00", 419, True), ("22:00", "07:00", 420, False), ("12:00", "13:00", 720, True),
     ("12:00", "13:00", 780, False), ("08:00", "08:00", 5, True)],
)  # fmt: skip
def test_do_not_disturb_holds_its_first_minute_and_not_its_last(begin: str, end: str, minute: int, quiet: bool) -> None:
    assert disturbed(DailyRange(from_=begin, to=end), minute) is quiet


@pytest.mark.proves("R5.a")
@pytest.mark.parametrize(
    ("tier", "score", "bucket"),
    [
        (Tier.PREMIER, 10.0, 0),
        (Tier.PREMIER, 9.99, 1),
        (Tier.PREMIER, 0.0, 20),
        (Tier.PREFERRED, 10.0, 21),
        (Tier.LIMITED, 5.0, 73),
        (Tier.LIMITED, 0.0, 83),
    ],
)
def test_buckets_go_by_tier_and_then_by_steps_of_half_a_point(tier: Tier, score: float, bucket: int) -> None:
    assert (bucket_of(tier, score), tier_of(bucket)) == (bucket, tier)


@pytest.mark.proves("R7.a")
@pytest.mark.parametrize(("tier", "score", "bucket"), [(Tier.PREMIER, 10.0, 84), (Tier.PREMIER, 2.9, 99), (Tier.LIMITED, 0.0, 167)])
def test_buckets_of_the_under_performing_follow_all_others_in_the_same_order_r7(tier: Tier, score: float, bucket: int) -> None:
    assert (bucket_of(tier, score, behind=True), tier_of(bucket)) == (bucket, tier)


@pytest.mark.proves("R7.a")
@pytest.mark.parametrize(("score", "orders", "expected"), [(2.99, 10, True), (3.0, 10, False), (2.99, 9, False), (0.0, 0, False)])
def test_a_low_score_counts_after_enough_orders_r7(score: float, orders: int, expected: bool) -> None:
    assert under_performing(MARKET, score, orders) is expected


@pytest.mark.proves("R7.a")
def test_the_under_performing_come_after_all_others_r7() -> None:
    people = [someone(1, tier=Tier.PREMIER, score=2.0, behind=True), someone(2, tier=Tier.LIMITED, score=0.0)]
    assert [person.no for person in order(people)] == [2, 1]


@pytest.mark.proves("R5.a", "R5.b", "R5.c")
def test_the_order_is_tier_then_score_step_then_longest_since_last_asked_then_number() -> None:
    people = [
        someone(1, tier=Tier.STANDARD, score=9.9), someone(2, tier=Tier.PREMIER, score=1.0, asked_at=50),
        someone(3, tier=Tier.PREMIER, score=1.2, asked_at=40), someone(5, tier=Tier.PREMIER, score=1.5, asked_at=99),
        someone(6, tier=Tier.PREMIER, score=1.4), someone(4, tier=Tier.PREMIER, score=1.1),
    ]  # fmt: skip
    assert [person.no for person in order(people)] == [5, 4, 6, 3, 2, 1]


@pytest.mark.proves("R5.b")
def test_a_crowded_step_is_exact_from_its_turning_start_and_goes_round_beyond() -> None:
    people = [someone(no, slot=no, asked_at=1_000 - no) for no in range(300)]
    first = order(people, {bucket_of(Tier.LIMITED, 5.0): 250})
    crowd = [*range(250, 300), *range(150)]
    assert [person.no for person in first[:CROWD]] == sorted(crowd, reverse=True)
    assert [person.no for person in first[CROWD:]] == list(range(150, 250))

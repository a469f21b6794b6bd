"""On which terms somebody who appears is asked, and what he takes: the most urgent first, within his cap (R12, R12b, R14, R18)."""

from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from dispatch.matcher import Person, Query
from dispatch.model import CircleZone, MarketSettings, ProviderSettings, Span
from dispatch.vacancies import Row, Waiting, met, plain, terms
from dispatch.waves import FOREVER
from dispatch.zones import cells_of, from_model

NOON = 1_804_849_200_000  # Friday 2027-03-12 12:00 in Paris
MINUTE, HOUR = 60_000, 3_600_000
NIGHT = NOON + 11 * HOUR
LAT, LNG = 48_860_000, 2_340_000


def market(**changes: Any) -> MarketSettings:
    return msgspec.convert(changes, MarketSettings)


def somebody(live: int = 0, **changes: Any) -> Person:
    zone = CircleZone(lat=48.86, lng=2.34, radius_km=5)
    right = {"name": "Ada", "trade": "hair", "catalogue": ("cut",), "zone": zone, "hours": "24/7"}
    settings = ProviderSettings(**(right | changes))
    return Person(no=7, settings=settings, shape=from_model(settings.zone), live=live)


def waiting(no: int, lead: float, **changes: Any) -> Waiting:
    start = NOON + round(lead * HOUR)
    query = Query(
        lat=LAT, lng=LNG, cells=cells_of(LAT, LNG), areas=(), services=("cut",), windows=(Span(start, start + HOUR),), gap=30 * MINUTE,
    )  # fmt: skip
    return msgspec.structs.replace(Waiting(no=no, start=start, query=query), **changes)


@dataclass(frozen=True)
class Case:
    now: int
    changes: dict[str, Any]
    latest: int


@pytest.mark.parametrize(
    "case",
    [
        Case(NOON, {}, FOREVER),
        Case(NIGHT, {}, NIGHT + 6 * HOUR - 1),
        Case(NIGHT, {"quiet_hours": None}, FOREVER),
        Case(NIGHT, {"cadence": [{"class": "last_minute", "lead_under_s": None, "size": 1, "pause_s": 1}]}, FOREVER),
        Case(NIGHT, {"cadence": [{"class": "far", "lead_under_s": None, "size": 1, "pause_s": 1}]}, NIGHT - 1),
    ],
)
def test_in_quiet_hours_only_what_is_last_minute_by_now_asks_anybody_r12_r18(case: Case) -> None:
    assert terms(market(**case.changes), case.now).latest == case.latest


def test_a_seat_lives_as_long_as_its_class_says_and_may_stay_unconfirmed_for_its_grace_r12b_r14() -> None:
    rows = terms(market(), NOON).rows
    assert rows[0] == Row(6 * HOUR, "last_minute", 10 * MINUTE, 20_000)  # type: ignore[arg-type]
    assert rows[-1] == Row(None, "far", 12 * HOUR, 2 * MINUTE)  # type: ignore[arg-type]


def test_the_store_is_told_the_terms_in_plain_numbers_and_words() -> None:
    told = plain(terms(market(), NOON))
    assert told["rows"][1] == (24 * HOUR, "same_day", 30 * MINUTE, 2 * MINUTE)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(told))["latest"] == FOREVER


def test_the_most_urgent_come_first_and_of_two_that_start_together_the_older_r18() -> None:
    lots = [waiting(1, 9), waiting(2, 3), waiting(4, 5), waiting(3, 5)]
    assert [no for no, _ in met(lots, somebody(), market(), NOON)] == [2, 3, 4, 1]


@pytest.mark.parametrize(("live", "taken"), [(0, 5), (3, 2), (5, 0)])
def test_he_takes_no_more_than_his_cap_allows_r18(live: int, taken: int) -> None:
    assert len(met([waiting(no, no) for no in range(1, 9)], somebody(live), market(), NOON)) == taken


def test_what_does_not_fit_him_takes_nothing_of_his_room_r18() -> None:
    lots = [waiting(1, 2, asked=frozenset({7})), waiting(2, 3, apart=frozenset({7})), waiting(3, 4), waiting(4, 12), waiting(5, 5)]
    found = met(lots, somebody(live=3, hours="Mo-Su 08:00-20:00"), market(), NOON)
    assert [no for no, _ in found] == [3, 5]

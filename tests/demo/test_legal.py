"""The demo's own judgement of a proposal: what it finds wrong, and what it lets pass."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest

from dispatch.client.bookings import Absence, BookingRequest, CircleZone, DailyRange, Place, PolygonZone, ProviderLine, Window
from dispatch.demo.behaviour import Temperament
from dispatch.demo.city import Point
from dispatch.demo.hours import osm
from dispatch.demo.legal import in_zone, too_near, wrongs
from dispatch.demo.providers import OFFICE, Provider

PARIS = ZoneInfo("Europe/Paris")
HOUR = 3_600_000


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS)  # 2026-11-24 is a Tuesday


def span(start: str, end: str) -> tuple[int, int]:
    return int(at(start).timestamp() * 1000), int(at(end).timestamp() * 1000)


VISIT = span("2026-11-24T10:00", "2026-11-24T11:00")
LINE = ProviderLine(
    provider_id="p-1",
    name="Awa",
    trade="hair",
    catalogue=("cut", "colour"),
    zone=CircleZone(lat=48.8566, lng=2.3522, radius_km=3),
    hours=osm(OFFICE),
    absences=(Absence(from_=at("2026-11-26T00:00").date(), to=at("2026-11-27T00:00").date()),),
    do_not_disturb=DailyRange(from_="12:00", to="14:00"),
)
AWA = Provider(line=LINE, home=Point(48.8566, 2.3522), week=OFFICE, nature=Temperament(1, 0), encoding="json")
BOOKING = BookingRequest(
    booking_id="b-1",
    client_id="c-1",
    place=Place(lat=48.86, lng=2.36),
    services=("cut",),
    windows=(Window(start=at("2026-11-24T10:00"), end=at("2026-11-24T11:00")),),
)
SENT = at("2026-11-24T07:30")


def found(
    *, provider: Provider = AWA, window: tuple[int, int] = VISIT, sent: datetime = SENT, urgency: str = "last_minute",
    held: tuple[tuple[int, int], ...] = (), **booking: object,
) -> list[str]:  # fmt: skip
    return list(wrongs(provider, msgspec.structs.replace(BOOKING, **booking), [window], sent, urgency, held, PARIS))


def test_a_legal_proposal_has_nothing_wrong() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("case", "wrong"),
    [
        ({"place": Place(lat=48.8566, lng=2.40)}, ["zone"]),
        ({"services": ("cut", "massage")}, ["catalogue"]),
        ({"window": span("2026-11-24T12:00", "2026-11-24T13:00")}, ["hours"]),
        ({"window": span("2026-11-26T10:00", "2026-11-26T11:00")}, ["hours"]),
        ({"held": (span("2026-11-24T11:29", "2026-11-24T12:00"),)}, ["overlap"]),
        ({"held": (span("2026-11-24T11:30", "2026-11-24T12:00"),)}, []),
        ({"held": (span("2026-11-24T08:00", "2026-11-24T09:31"),)}, ["overlap"]),
        ({"sent": at("2026-11-24T12:00")}, ["do_not_disturb"]),
        ({"sent": at("2026-11-24T14:00")}, []),
        ({"sent": at("2026-11-23T23:00")}, []),
        ({"sent": at("2026-11-23T23:00"), "urgency": "same_day"}, ["quiet_hours"]),
        ({"sent": at("2026-11-24T06:59"), "urgency": "far"}, ["quiet_hours"]),
        ({"sent": at("2026-11-24T07:00"), "urgency": "far"}, []),
    ],
)
def test_each_rule_finds_its_own_breach(case: dict[str, object], wrong: list[str]) -> None:
    assert found(**case) == wrong  # type: ignore[arg-type]


SQUARE = PolygonZone(coordinates=[(2.30, 48.80), (2.40, 48.80), (2.40, 48.90), (2.30, 48.90)])
NOTCHED = PolygonZone(coordinates=[(2.30, 48.80), (2.40, 48.80), (2.35, 48.85), (2.40, 48.90), (2.30, 48.90)])


@pytest.mark.parametrize(
    ("zone", "place", "inside"),
    [
        (SQUARE, Point(48.85, 2.35), True),
        (SQUARE, Point(48.85, 2.4004), True),  # 30 m outside: within the tolerance
        (SQUARE, Point(48.85, 2.402), False),
        (SQUARE, Point(48.91, 2.35), False),
        (NOTCHED, Point(48.85, 2.34), True),
        (NOTCHED, Point(48.85, 2.37), False),
        (CircleZone(lat=48.85, lng=2.35, radius_km=2), Point(48.85, 2.3765), True),
        (CircleZone(lat=48.85, lng=2.35, radius_km=2), Point(48.85, 2.379), False),
    ],
)
def test_zones_hold_what_they_hold(zone: CircleZone | PolygonZone, place: Point, inside: bool) -> None:
    assert in_zone(replace(AWA, line=msgspec.structs.replace(LINE, zone=zone)), place) is inside


def test_two_visits_need_the_gap_between_them_whichever_comes_first() -> None:
    for a, b, near in (((0, HOUR), (HOUR, 2 * HOUR), True), ((0, HOUR), (HOUR + HOUR // 2, 2 * HOUR), False)):
        assert (too_near(a, b), too_near(b, a)) == (near, near)

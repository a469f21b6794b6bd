"""The city's professionals: real looking, and the same for the same seed."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta

from msgspec import UNSET

from dispatch.client.bookings import CircleZone, PolygonZone, Tier
from dispatch.demo.catalogue import BY_CODE
from dispatch.demo.city import City, Commune, Point
from dispatch.demo.hours import covers
from dispatch.demo.legal import in_zone
from dispatch.demo.providers import population, seat

CITY = City([Commune("Paris 11", Point(48.8574, 2.3795), 138_170), Commune("Pantin", Point(48.8944, 2.4094), 52_922)])
TODAY = date(2026, 11, 24)
PEOPLE = population(CITY, 400, TODAY, seed=1)


def test_the_same_seed_draws_the_same_people_and_another_seed_others() -> None:
    assert population(CITY, 400, TODAY, seed=1) == PEOPLE
    assert population(CITY, 400, TODAY, seed=2) != PEOPLE


def test_everybody_lives_in_his_own_zone_and_offers_something_of_his_trade() -> None:
    for person in PEOPLE:
        assert in_zone(person, person.home)
        assert BY_CODE[person.line.catalogue[0]].trade == person.line.trade
        assert len(set(person.line.catalogue)) == len(person.line.catalogue)


def test_zones_are_circles_of_2_to_12_km_and_some_polygons() -> None:
    zones = Counter(type(person.line.zone) for person in PEOPLE)
    assert zones[PolygonZone] > 40
    assert all(2 <= p.line.zone.radius_km <= 12 for p in PEOPLE if isinstance(p.line.zone, CircleZone))


def test_some_are_away_some_do_not_want_to_be_disturbed_and_half_speak_json() -> None:
    assert 15 < sum(bool(person.line.absences) for person in PEOPLE) < 80
    assert 3 < sum(person.line.do_not_disturb is not None for person in PEOPLE) < 30
    assert Counter(person.encoding for person in PEOPLE) == {"json": 200, "msgpack": 200}


def test_the_one_whom_a_person_plays_works_all_day_and_is_asked_early() -> None:
    played = seat(PEOPLE)
    assert played is not None
    assert played.line.initial_rank is not UNSET
    assert played.line.initial_rank.tier is Tier.PREMIER
    assert (played.line.absences, played.line.do_not_disturb) == ((), None)
    for hour in (8, 12, 17):
        moment = datetime(2026, 11, 24, hour, tzinfo=UTC)
        assert covers(played.week, moment, moment + timedelta(hours=1))
    assert seat(PEOPLE[:5]) is None

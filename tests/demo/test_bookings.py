"""What clients ask for, and when."""

from datetime import UTC, datetime, timedelta
from random import Random
from zoneinfo import ZoneInfo

import pytest

from dispatch.demo.bookings import PROFILE, _wish, gap_s
from dispatch.demo.catalogue import BY_CODE, OFFERS, TRADES, catalogue
from dispatch.demo.city import City, Commune, Point

CITY = City([Commune("Paris 11", Point(48.8574, 2.3795), 138_170)])
PARIS = ZoneInfo("Europe/Paris")
HOURS_OF_A_DAY = [datetime(2026, 11, 24, hour, 37, tzinfo=PARIS) for hour in range(24)]
SUMMER_TIME_BEGINS = datetime(2026, 3, 29, 0, 30, tzinfo=PARIS)


@pytest.mark.parametrize("now", [*HOURS_OF_A_DAY, SUMMER_TIME_BEGINS])
def test_every_wish_can_be_booked_whatever_the_hour(now: datetime) -> None:
    chance = Random(now.hour)
    for number in range(60):
        booking = _wish(chance, CITY, now, number).booking
        assert 1 <= len(booking.windows) <= 3
        assert len(set(booking.windows)) == len(booking.windows)
        length = timedelta(minutes=sum(BY_CODE[code].minutes for code in booking.services))
        for window in booking.windows:
            start, end = window.start.astimezone(PARIS), window.end.astimezone(PARIS)
            assert start - now >= timedelta(hours=2)
            assert (start.minute % 15, window.end - window.start) == (0, length)
            assert start.hour >= 8
            assert (end.date(), end.hour < 21) == (start.date(), True)


def test_all_classes_of_lead_time_occur_in_the_morning() -> None:
    now, chance = datetime(2026, 11, 24, 9, tzinfo=PARIS), Random(2)
    leads = [(_wish(chance, CITY, now, n).booking.windows[0].start - now) / timedelta(hours=1) for n in range(400)]
    for low, high in ((2, 6), (6, 24), (24, 72), (72, 400)):
        assert sum(low <= lead < high for lead in leads) > 20


def test_the_day_has_its_rush_and_its_rest_and_the_mean_that_was_asked_for() -> None:
    chance = Random(4)
    mean_gaps = [sum(gap_s(chance, 120, moment) for _ in range(2_000)) / 2_000 for moment in HOURS_OF_A_DAY]
    assert sum(3600 / gap for gap in mean_gaps) / 24 == pytest.approx(120, rel=0.05)
    assert mean_gaps.index(max(mean_gaps)) in (1, 2, 3, 4)
    assert len(PROFILE) == 24


def test_the_catalogue_is_whole() -> None:
    listed = catalogue()
    assert {trade.code for trade in listed.trades} == {service.trade for service in listed.services} == set(TRADES)
    assert sum(offer.demand for offer in OFFERS) == 100
    assert all(service.name.fr and service.name.en for service in listed.services)


def test_booking_times_leave_in_utc() -> None:
    booking = _wish(Random(1), CITY, HOURS_OF_A_DAY[9], 1).booking
    assert {window.start.tzinfo for window in booking.windows} == {UTC}

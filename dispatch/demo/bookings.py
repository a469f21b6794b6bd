"""What clients ask for: how many an hour, where, what, and how long ahead.

Places follow the population, services their demand. The day's profile, the mix of lead times and the share of cancellations are our own
guesses of a market of home services (of a salon's bookings, 11 % were cancelled); the classes are SPEC's (R12), never under 2 hours (R10).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random

from dispatch.client.bookings import BookingRequest, Place, Window
from dispatch.demo.catalogue import OFFERS, Offer, of_trade
from dispatch.demo.city import City
from dispatch.demo.clock import CityClock

# bookings made in each local hour, beside each other (`gap_s` brings their mean to one)
PROFILE = (0.2, 0.1, 0.1, 0.1, 0.1, 0.2, 0.5, 0.9, 1.3, 1.5, 1.6, 1.6, 1.5, 1.4, 1.4, 1.4, 1.5, 1.6, 1.6, 1.5, 1.4, 1.3, 0.9, 0.4)
MEAN = sum(PROFILE) / 24
LEADS_H = {"last_minute": (2.1, 6.0), "same_day": (6.0, 24.0), "advance": (24.0, 72.0), "far": (72.0, 14 * 24.0)}
MIX = {"last_minute": 30, "same_day": 30, "advance": 25, "far": 15}
OPENING, CLOSING = 8, 21  # local hours between which visits lie
CANCELLED = 0.05
SLOT = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Wish:
    """A booking that a client is about to make. ``cancels_after_s``: engine seconds until he changes his mind, or None."""

    booking: BookingRequest
    cancels_after_s: float | None


def gap_s(chance: Random, per_hour: float, local: datetime) -> float:
    """Engine seconds until the next booking: exponential, at the rate of the local hour."""
    return chance.expovariate(per_hour * PROFILE[local.hour] / MEAN / 3600)


def wishes(chance: Random, city: City, clock: CityClock) -> Iterator[Wish]:
    """Bookings without end, each made for the moment at which it is drawn."""
    number = 0
    while True:
        number += 1
        yield _wish(chance, city, clock.local(clock.now_ms()), number)


def _wish(chance: Random, city: City, now: datetime, number: int) -> Wish:
    commune, point = city.draw(chance)
    asked = _services(chance)
    length = timedelta(minutes=sum(offer.minutes for offer in asked))
    booking = BookingRequest(
        booking_id=f"b-{number:06d}",
        client_id=f"c-{chance.randint(1, 20_000):05d}",
        place=Place(
            lat=round(point.lat, 6), lng=round(point.lng, 6), address=f"{chance.randint(1, 180)} rue de la Démonstration, {commune.name}"
        ),
        services=tuple(offer.code for offer in asked),
        windows=_windows(chance, now, length),
        price_cents=sum(offer.price_cents for offer in asked),
    )
    return Wish(booking, chance.expovariate(1 / 3600) if chance.random() < CANCELLED else None)


def _services(chance: Random) -> list[Offer]:
    """One service by demand; one in six adds a second of the same trade."""
    [first] = chance.choices(OFFERS, weights=[offer.demand for offer in OFFERS])
    others = [offer for offer in of_trade(first.trade) if offer is not first]
    return [first, chance.choice(others)] if others and chance.random() < 1 / 6 else [first]


def _windows(chance: Random, now: datetime, length: timedelta) -> tuple[Window, ...]:
    """One to three starts in order of preference, the first by lead time, the others an hour or some days around it."""
    first = _start(chance, now, length)
    [count] = chance.choices((1, 2, 3), weights=(60, 25, 15))
    later = (first + chance.choice((timedelta(hours=1), timedelta(hours=2), timedelta(days=1))) * k for k in range(1, count))
    starts = dict.fromkeys([first, *(start for start in later if _plausible(start, length))])
    return tuple(Window(start=start.astimezone(UTC), end=(start + length).astimezone(UTC)) for start in starts)


def _start(chance: Random, now: datetime, length: timedelta) -> datetime:
    """A start with a lead time of the mix, on a quarter of an hour, within plausible hours (else longer ahead)."""
    [urgency] = chance.choices(list(MIX), weights=list(MIX.values()))
    classes = list(LEADS_H)
    for name in classes[classes.index(urgency) :]:
        for _ in range(20):
            ahead = timedelta(hours=chance.uniform(*LEADS_H[name]))
            start = _quarter((now.astimezone(UTC) + ahead).astimezone(now.tzinfo))
            if _plausible(start, length):
                return start
    return _quarter(now + timedelta(days=15)).replace(hour=12, minute=0)


def _quarter(moment: datetime) -> datetime:
    """The next quarter of an hour."""
    floor = moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0)
    return floor + SLOT if floor < moment else floor


def _plausible(start: datetime, length: timedelta) -> bool:
    return start.hour >= OPENING and (start + length).date() == start.date() and (start + length).hour < CLOSING

"""The professionals of the city: where they live, what they do, when they work, how they answer.

Homes are drawn by population; trades by demand; zones are circles of 2 to 12 km around the home, or a ragged polygon; hours are those one
sees on the doors of such trades; tiers and scores seed the rank. Everything is drawn from one seed.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random
from typing import Literal

from dispatch.client.bookings import Absence, CircleZone, DailyRange, InitialRank, PolygonZone, ProviderLine, Tier
from dispatch.demo.behaviour import Temperament, temperament
from dispatch.demo.catalogue import TRADES, demand, of_trade
from dispatch.demo.city import City, Point, away
from dispatch.demo.hours import Week, osm, week

OFFICE = week(("Mo Tu We Th Fr", "09:00-12:30,14:00-19:00"), ("Sa", "10:00-18:00"))
SALON = week(("Tu We Th Fr", "09:30-19:30"), ("Sa", "09:00-18:00"))
EARLY = week(("Mo Tu We Th Fr", "07:00-15:00"))
ALL_DAY = week(("Mo Tu We Th Fr Sa", "08:00-20:00"))
LATE = week(("Mo Tu We", "12:00-22:00"), ("Th Fr Sa", "14:00-01:00"))
WEEKEND = week(("We", "10:00-18:00"), ("Sa Su", "09:00-20:00"))
EVERY_DAY = week(("Mo Tu We Th Fr Sa Su", "08:00-21:00"))
HOURS: dict[str, tuple[Week, ...]] = {
    "hair": (SALON, OFFICE, ALL_DAY, EVERY_DAY),
    "beauty": (SALON, ALL_DAY, OFFICE, WEEKEND),
    "massage": (LATE, ALL_DAY, EVERY_DAY, WEEKEND),
    "cleaning": (EARLY, ALL_DAY, ALL_DAY, EVERY_DAY),
    "coaching": (EVERY_DAY, LATE, WEEKEND),
    "repairs": (OFFICE, ALL_DAY, WEEKEND),
}
NEIGHBOURS = {"hair": "beauty", "beauty": "massage", "cleaning": "repairs"}  # second trades that go together
TIERS = ((Tier.LIMITED, 30), (Tier.STANDARD, 38), (Tier.PREFERRED, 22), (Tier.PREMIER, 10))
FIRST_NAMES = (
    "Awa",
    "Inès",
    "Léa",
    "Camille",
    "Fatou",
    "Nadia",
    "Sofia",
    "Chloé",
    "Julie",
    "Karim",
    "Lucas",
    "Mehdi",
    "Hugo",
    "Paul",
    "Linh",
)
SMALL_CITY = 10  # professionals
LETTERS = "ABCDFGHJKLMNPRSTV"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A professional: what the engine is told of him (``line``), and what only the demo knows."""

    line: ProviderLine
    home: Point
    week: Week
    nature: Temperament
    encoding: Literal["msgpack", "json"]

    @property
    def id(self) -> str:
        """His outside id."""
        return self.line.provider_id

    @property
    def days_off(self) -> Iterator[tuple[date, date]]:
        """His absences, both ends included."""
        return ((absence.from_, absence.to) for absence in self.line.absences)


def population(city: City, count: int, today: date, seed: int) -> list[Provider]:
    """So many professionals, the same for the same seed and day."""
    chance = Random(seed)
    return [_provider(chance, city, number, today) for number in range(1, count + 1)]


def seat(people: Sequence[Provider]) -> Provider | None:
    """The professional whom whoever watches may play: at work from morning to evening, of a sought trade, and asked before most others.
    None in a city so small that he would be missed."""
    if len(people) < SMALL_CITY:
        return None
    order = {tier: place for place, (tier, _) in enumerate(TIERS)}
    there = [p for p in people if p.week in (ALL_DAY, EVERY_DAY) and not p.line.absences and not p.line.do_not_disturb]
    ranked = [(p, rank) for p in there if isinstance(rank := p.line.initial_rank, InitialRank)]
    suited = [(demand(p.line.trade), order[rank.tier], rank.score, p) for p, rank in ranked]
    return max(suited, key=lambda one: one[:3])[-1] if suited else None


def _provider(chance: Random, city: City, number: int, today: date) -> Provider:
    _, home = city.draw(chance)
    [trade] = chance.choices(list(TRADES), weights=[demand(t) for t in TRADES])
    hours = chance.choice(HOURS[trade])
    line = ProviderLine(
        provider_id=f"p-{number:05d}",
        name=f"{chance.choice(FIRST_NAMES)} {chance.choice(LETTERS)}.",
        trade=trade,
        catalogue=_services(chance, trade),
        zone=_zone(chance, home),
        hours=osm(hours),
        absences=() if hours is LATE else _absences(chance, today),
        do_not_disturb=DailyRange(from_="12:00", to="14:00") if chance.random() < 0.03 else None,
        initial_rank=_rank(chance),
    )
    return Provider(line=line, home=home, week=hours, nature=temperament(chance), encoding="json" if number % 2 else "msgpack")


def _services(chance: Random, trade: str) -> tuple[str, ...]:
    """Most of his trade's services, and some of a neighbouring trade for one in six."""
    own = [offer.code for offer in of_trade(trade) if chance.random() < 0.8] or [of_trade(trade)[0].code]
    if trade in NEIGHBOURS and chance.random() < 1 / 6:
        own += [offer.code for offer in of_trade(NEIGHBOURS[trade]) if chance.random() < 0.4]
    return tuple(own)


def _zone(chance: Random, home: Point) -> CircleZone | PolygonZone:
    if chance.random() < 0.8:
        return CircleZone(lat=round(home.lat, 6), lng=round(home.lng, 6), radius_km=round(chance.triangular(2, 12, 5), 1))
    corners = chance.randint(6, 11)
    ring = [away(home, chance.uniform(3, 10), math.tau * corner / corners) for corner in range(corners)]
    return PolygonZone(coordinates=[(round(p.lng, 6), round(p.lat, 6)) for p in ring])


def _absences(chance: Random, today: date) -> tuple[Absence, ...]:
    """One in ten is away for some days of the next three weeks."""
    if chance.random() > 0.1:
        return ()
    first = today + timedelta(days=chance.randint(0, 21))
    return (Absence(from_=first, to=first + timedelta(days=chance.randint(0, 9))),)


def _rank(chance: Random) -> InitialRank:
    [tier] = chance.choices([tier for tier, _ in TIERS], weights=[weight for _, weight in TIERS])
    return InitialRank(tier=tier, score=round(min(10.0, max(0.0, chance.gauss(7.2, 1.4))), 1))

"""Random worlds for the match index: a town of providers in every state that matters, and questions to ask of it.

A world is a pure function of a seed and its outline. Places lie on rims, hours end in the middle of a quarter, clocks change at night.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from dispatch.matcher import Query, bucket_of, under_performing
from dispatch.model import (
    Absence,
    AreasZone,
    CircleZone,
    DailyRange,
    ExtraOpening,
    InitialRank,
    MarketSettings,
    PolygonZone,
    ProviderSettings,
    Span,
    Tier,
    Zone,
)
from dispatch.zones import cells_of, distance_m

MINUTE, QUARTER, HOUR, DAY = 60_000, 900_000, 3_600_000, 86_400_000
HOURS = (
    "24/7", "Mo-Su 08:00-20:00", "Mo-Fr 09:00-12:30,14:00-19:00; Sa 10:00-18:00", "Mo-Su 08:05-20:20", "Mo-Su 18:00-02:00",
    "Fr-Su 22:00-05:00", "Mo-Su 00:00-24:00", "Sa,Su 01:00-04:00", "Su 00:30-02:50; Mo-Sa 07:00-23:00", "Mo-Su 06:00-14:07,14:09-22:00",
    "Tu-Sa 10:00-19:00", "Mo-Su 23:45-00:15,00:15-06:00", "Mo-Su 02:15-03:05", "off", "Mo-Su 09:00-18:00",
)  # fmt: skip
QUIET = (("22:00", "07:00"), ("12:07", "12:52"), ("00:00", "00:00"), ("03:10", "03:12"), ("09:00", "18:00"), ("23:59", "00:01"))
AREAS = ("75001", "75011", "13001", "idf", "paca")
SERVICES = ("cut", "colour", "massage", "clean")
RANKS = tuple((tier, score) for tier in Tier for score in (0.0, 3.2, 5.0, 5.49, 9.99, 10.0))


@dataclass(slots=True, kw_only=True)
class Someone:
    """A provider and the state he is in. ``later``: settings that replace his first ones."""

    id: str
    settings: ProviderSettings
    later: ProviderSettings | None = None
    visits: list[Span] = field(default_factory=list)
    push: bool = True
    off: bool = False
    paused: bool = False
    live: int = 0
    asked_at: int = 0
    blocked: bool = False


@dataclass(slots=True, kw_only=True)
class World:
    """A market, its providers, and what is asked of it. ``turning``: where searches of a step begin, in eighths of the slots."""

    market: MarketSettings
    people: list[Someone]
    queries: list[Query]
    asked: list[list[int]]  # for each query: places in ``people``
    k: int
    turning: int

    def buckets(self) -> set[int]:
        """The tier and score steps of its people."""
        ranks = (one.settings.initial_rank for one in self.people)
        return {self.bucket(rank) for rank in ranks if isinstance(rank, InitialRank)}

    def bucket(self, rank: InitialRank) -> int:
        return bucket_of(rank.tier, rank.score, behind=under_performing(self.market, rank.score, rank.orders))


class Maker:
    """Makes one world."""

    def __init__(self, seed: int, size: int, now: int, night: datetime) -> None:
        self.rng, self.now, self.size = Random(seed), now, size
        self.night = int(night.timestamp() * 1_000) // DAY * DAY
        rng = self.rng
        self.zone = rng.choice(("Europe/Paris",) * 5 + ("Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns"))
        self.gap = rng.choice((0, 600, 1_800, 1_800, 1_800, 2_700, 3_600)) * 1_000
        self.spots = [(48_856_600 + rng.randint(-90_000, 90_000), 2_352_200 + rng.randint(-140_000, 140_000)) for _ in range(3)]
        self.ranks = rng.sample(RANKS, rng.choice((1, 1, 2, 4, 8)))
        self.easy = rng.random() < 0.5  # most people fit most queries
        self.crowded = size >= 250 and rng.random() < 0.6  # nearly all of them, and on one step
        if self.crowded:
            self.easy, self.ranks = True, self.ranks[:1]
        self.patterns = [self.pattern() for _ in range(rng.randint(2, 8))]
        self.moments = [rng.randint(self.now - 40 * DAY, self.now) for _ in range(3)]
        self.days = [self.night + rng.choice((-1, 0, 0, 1)) * DAY, self.now // DAY * DAY + rng.randint(1, 2) * DAY]

    def world(self) -> World:
        rng = self.rng
        horizon = (self.night - self.now) // DAY + 3
        market = MarketSettings(
            time_zone=self.zone, travel_gap_s=self.gap // 1_000, open_proposals_cap=rng.choice((1, 3, 5)), horizon_days=horizon
        )
        people = [self.someone(index, market) for index in range(self.size)]
        queries = [self.query(index) for index in range(3)]
        asked = [rng.sample(range(self.size), rng.choice((0, 0, 1, 5, 30))) for _ in queries]
        return World(
            market=market, people=people, queries=queries, asked=asked, k=rng.choice((1, 3, 10, 10, 50, 200)), turning=rng.randint(0, 8)
        )

    def someone(self, index: int, market: MarketSettings) -> Someone:
        rng, rare = self.rng, 0.04 if self.easy else 0.12
        one = Someone(id=f"p{index}", settings=self.settings(index))
        one.later = self.settings(index) if rng.random() < 0.03 else None
        one.visits = list(self.visits()) if rng.random() < (0.05 if self.crowded else 0.25) else []
        one.push, one.off, one.paused = rng.random() > rare, rng.random() < rare, rng.random() < rare
        one.live = rng.choice((0, market.open_proposals_cap - 1, market.open_proposals_cap)) if rng.random() < 2 * rare else 0
        one.asked_at = rng.choice((0, 0, *self.moments, rng.randint(1, self.now)))
        one.blocked = rng.random() < rare / 2
        return one

    def settings(self, index: int) -> ProviderSettings:
        rng = self.rng
        hours, absences, extras = rng.choice(self.patterns)
        tier, score = rng.choice(self.ranks)
        quiet = rng.choice(QUIET) if rng.random() < 0.15 else None
        services = SERVICES if self.easy or rng.random() < 0.5 else tuple(rng.sample(SERVICES, rng.randint(0, 3)))
        return ProviderSettings(
            name=f"P{index}", trade="hair", catalogue=services, zone=self.zone_of(), hours=hours, absences=absences, extra_openings=extras,
            status=rng.choice(("approved",) * 20 + ("pending", "inactive")), initial_rank=self.rank(tier, score),
            do_not_disturb=DailyRange(from_=quiet[0], to=quiet[1]) if quiet else None,
        )  # fmt: skip

    def rank(self, tier: Tier, score: float) -> InitialRank:
        """With what he has behind him: enough to perform badly, or not to be new any more."""
        return InitialRank(tier=tier, score=score, orders=self.rng.choice((0, 9, 10, 40)), answered=self.rng.choice((0, 9, 10, 40)))

    def pattern(self) -> tuple[str, tuple[Absence, ...], tuple[ExtraOpening, ...]]:
        rng = self.rng
        hours = rng.choice(HOURS[:1] * self.crowded or HOURS[: 5 if self.easy else None])
        day = datetime.fromtimestamp(self.now / 1_000, UTC).date()
        night = datetime.fromtimestamp(self.night / 1_000, UTC).date()
        absences = (Absence(from_=self._day(day), to=self._day(night)),) if rng.random() < 0.1 else ()
        extras = (ExtraOpening(from_=night, to=night + timedelta(days=1), hours="01:00-03:30,22:00-02:40"),) if rng.random() < 0.2 else ()
        return hours, absences, extras

    def _day(self, day: date) -> date:
        return day + timedelta(days=self.rng.randint(-2, 2))

    # -- zones ---------------------------------------------------------------------------------------------------------

    def zone_of(self) -> Zone:
        rng, kind = self.rng, self.rng.random()
        lat, lng = rng.choice(self.spots)
        if self.crowded and kind < 0.9:
            return CircleZone(lat=lat / 1e6, lng=lng / 1e6, radius_km=40)
        if kind < 0.12:
            return AreasZone(codes=rng.sample(AREAS, rng.randint(1, 3)))
        if kind < 0.3:
            return PolygonZone(coordinates=list(self.ring(lat, lng)))
        wide = rng.choice((9_000, 90_000, 190_000, 1_500_000)) if rng.random() < 0.15 else 60_000
        at = lat + rng.randint(-wide, wide), lng + rng.randint(-wide, wide)
        if rng.random() < 0.3:  # its rim runs through the place, to the metre
            radius = max(1, round(distance_m(*at, lat, lng)) + rng.choice((-1, 0, 1)))
        else:
            radius = rng.randint(300, 2 * wide // 9 + 3_000)
        return CircleZone(lat=at[0] / 1e6, lng=at[1] / 1e6, radius_km=min(radius, 200_000) / 1_000)

    def ring(self, lat: int, lng: int) -> Iterator[tuple[float, float]]:
        """A star-shaped ring; often with a corner, or the middle of a side, exactly at the place."""
        rng = self.rng
        size = rng.randint(2_000, 90_000)
        low, high, left, right = (rng.randint(size // 2, size) for _ in range(4))
        match rng.randint(0, 3):
            case 0:
                lat, lng = lat + low, lng + rng.randint(-left + 1, right - 1)  # the place is on the southern side
            case 1:
                lat, lng = lat + rng.randint(-high + 1, low - 1), lng - right  # on the eastern one
            case 2:
                lat, lng = lat + low, lng + left  # the south-western corner
        corners = [
            (lat - low, lng - left),
            (lat - low, lng + right),
            (lat + high, lng + right),
            (lat + high + 1_234, lng),
            (lat + high, lng - left),
        ]
        yield from ((x / 1e6, y / 1e6) for y, x in corners)

    # -- times ---------------------------------------------------------------------------------------------------------

    def visits(self) -> Iterator[Span]:
        """Visits he holds: they keep the gap between them, often exactly."""
        rng = self.rng
        at = self.now + rng.randint(1, 40) * QUARTER
        for day in sorted(rng.sample(self.days, rng.randint(1, 2))):
            at = max(at, day + rng.randint(0, 80) * QUARTER)
            for _ in range(rng.randint(1, 4)):
                at += 0 if rng.random() < 0.6 else rng.randint(0, 40) * MINUTE
                end = at + rng.choice((30, 45, 60, 90, 7, 200)) * MINUTE
                yield Span(at, end)
                at = end + self.gap + rng.choice((0, 0, 15, 30, 120)) * MINUTE

    def window(self) -> Span:
        rng = self.rng
        start = rng.choice(self.days) + (rng.choice((0, 1, 2, 3, 23)) * HOUR if rng.random() < 0.4 else rng.randint(7, 19) * HOUR)
        start += rng.choice((0, 0, 0, 15, 30, 45, 5, 52)) * MINUTE
        length = rng.choice((60, 60, 30, 90, 20, 61, 240, 1_440)) * MINUTE
        start = max(start, self.now + 10 * MINUTE)
        return Span(start, start + length)

    def query(self, index: int) -> Query:
        rng = self.rng
        lat, lng = (
            self.spots[index] if rng.random() < 0.8 else (self.spots[0][0] + rng.randint(-50, 50), self.spots[0][1] + rng.randint(-50, 50))
        )
        windows = tuple(dict.fromkeys(self.window() for _ in range(rng.choice((1, 1, 1, 2, 3, 5)))))
        return Query(
            lat=lat, lng=lng, cells=cells_of(lat, lng), areas=tuple(sorted(rng.sample(AREAS, rng.randint(0, 2)))), windows=windows,
            services=tuple(rng.sample(SERVICES, rng.choice((1, 1, 1, 2, 3)))), gap=self.gap,
        )  # fmt: skip


def state_of(one: Someone, number: int, first: int) -> dict[str, Any]:
    """His state as the verb of the test writes it."""
    visits = [(first + index, visit.start, visit.end) for index, visit in enumerate(one.visits)]
    return {"p": number, "visits": visits, "push": one.push, "off": one.off, "paused": one.paused, "live": one.live, "asked": one.asked_at}

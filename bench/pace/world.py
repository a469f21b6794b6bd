"""A world: providers, and bookings with every answer that each of them would get, drawn before any policy acts.

All policies are played through the same draws (common random numbers), so what differs between two of them is the policies' doing. Where
nothing else is said behaviour is assumed, as in WAVES.md 4: a provider accepts with a probability of his own, times how well liked the
booking is, which nobody is told; answers are lognormal, sooner by those who are online.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.random import Generator

from dispatch.model import TIERS, Tier

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
ZONE = "Europe/Paris"
MONDAY = round(datetime(2027, 3, 8, tzinfo=ZoneInfo(ZONE)).timestamp() * 1_000)
OPENS, CLOSES = 8, 20  # hours of the day between which bookings come in
VISIT_MS = HOUR
SURE = 0.97  # nobody accepts more likely than this
NEWCOMERS = 0.1
ACCEPT, REFUSE, SILENT = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What is asked of whom. ``lead_h``: from the opening to the visit; ``search_min``: how long is searched (None: as the market says).

    ``yes``: parameters of the Beta distribution of the providers' accept rates; ``liking``: shape of the Gamma distribution (mean 1) of
    how well liked a booking is (0: all alike); ``online``: share of those who answer quickly; ``quick_min``, ``slow_min``: median delays;
    ``sigma``: spread of their logarithm; ``refuse``: share of those who refuse among the ones who do not accept, from and to; ``fit``: how
    many fit a booking, from and to; ``a_day``: bookings; ``unreached``: share of the proposals that come to no device.
    """

    name: str
    about: str
    lead_h: float
    search_min: float | None = None
    yes: tuple[float, float] = (2.0, 5.0)
    liking: float = 2.0
    online: float = 0.4
    quick_min: float = 1.2
    slow_min: float = 7.0
    sigma: float = 1.1
    refuse: tuple[float, float] = (0.3, 0.7)
    fit: tuple[int, int] = (6, 50)
    providers: int = 150
    a_day: int = 120
    unreached: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Pro:
    """A provider: his rank, whether he has just begun, and what of him is behind his answers."""

    no: int
    tier: Tier
    score: float
    newcomer: bool
    yes: float
    refuse: float
    median_ms: float
    kind: int = 0  # which of the real providers he is like


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A booking and its draws: who fits, what each of them would do if he were asked, and after how many ms.

    ``reached``: whether the proposal would come to his device; ``chances``: how probable it was that he would accept.
    """

    no: int
    opened_at: int
    start: int
    fit: tuple[int, ...]
    does: tuple[int, ...]
    after_ms: tuple[int, ...]
    reached: tuple[bool, ...]
    chances: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that happens, whatever the policy."""

    scenario: Scenario
    pros: tuple[Pro, ...]
    visits: tuple[Visit, ...]


Drawn = tuple[list[int], list[int], list[float]]  # what each would do with one booking, after how many ms, and the chance that he accepts
Answers = Callable[[Generator, Sequence[Pro]], Drawn]


def draw(scenario: Scenario, count: int, seed: int) -> World:
    """A world with assumed behaviour."""
    pros = _pros(scenario, np.random.default_rng((seed, 0)))
    return with_answers(scenario, pros, count, seed, lambda chance, fit: _assumed(scenario, chance, fit))


def with_answers(scenario: Scenario, pros: Sequence[Pro], count: int, seed: int, answers: Answers) -> World:
    """A world of these providers, whose answers are drawn booking by booking."""
    times = _openings(scenario, count, np.random.default_rng((seed, 1)))
    visits = tuple(_visit(scenario, pros, no, at, np.random.default_rng((seed, 2, no)), answers) for no, at in enumerate(times, 1))
    return World(scenario=scenario, pros=tuple(pros), visits=visits)


def _pros(scenario: Scenario, chance: Generator) -> list[Pro]:
    """A quarter of them in each tier; a likely accepter ranks a little higher."""
    count, (a, b) = scenario.providers, scenario.yes
    yes = chance.beta(a, b, count)
    merit = chance.normal(size=count) + 0.3 * (yes - yes.mean()) / yes.std()
    quick = chance.random(count) < scenario.online
    median = np.where(quick, scenario.quick_min, scenario.slow_min) * MINUTE
    refuse = chance.uniform(*scenario.refuse, count)
    new = chance.random(count) < NEWCOMERS
    return ranked(merit, new, [{"yes": y, "refuse": r, "median_ms": m} for y, r, m in zip(yes, refuse, median, strict=True)])


def ranked(merit: np.ndarray, new: np.ndarray, rest: Sequence[dict[str, float]]) -> list[Pro]:
    """Providers in tiers and scores by merit; a newcomer begins where everybody does."""
    place = merit.argsort().argsort() / len(merit)
    tiers = [Tier.LIMITED if fresh else TIERS[int(at * len(TIERS))] for at, fresh in zip(place, new, strict=True)]
    scores = [5.0 if fresh else round(min(10.0, max(0.0, 7 + 1.2 * one)), 2) for one, fresh in zip(merit, new, strict=True)]
    who = enumerate(zip(tiers, scores, new, rest, strict=True), 1)
    return [Pro(no=no, tier=tier, score=float(score), newcomer=bool(fresh), **more) for no, (tier, score, fresh, more) in who]


def _openings(scenario: Scenario, count: int, chance: Generator) -> list[int]:
    """Moments at which bookings come in, over as many days as it takes."""
    days = -(-count // scenario.a_day)
    day = np.sort(np.arange(count) % days)
    return np.sort(MONDAY + day * DAY + (chance.uniform(OPENS, CLOSES, count) * HOUR).astype(int)).tolist()


def _visit(scenario: Scenario, pros: Sequence[Pro], no: int, at: int, chance: Generator, answers: Answers) -> Visit:
    fit = chance.permutation(len(pros))[: chance.integers(scenario.fit[0], scenario.fit[1] + 1)].tolist()
    does, after, chances = answers(chance, [pros[index] for index in fit])
    return Visit(
        no=no,
        opened_at=at,
        start=at + round(scenario.lead_h * HOUR),
        fit=tuple(pros[index].no for index in fit),
        does=tuple(does),
        after_ms=tuple(after),
        reached=tuple((chance.random(len(fit)) >= scenario.unreached).tolist()),
        chances=tuple(chances),
    )


def _assumed(scenario: Scenario, chance: Generator, fit: Sequence[Pro]) -> Drawn:
    liked = chance.gamma(scenario.liking, 1 / scenario.liking) if scenario.liking else 1.0
    yes = np.minimum(SURE, np.array([pro.yes for pro in fit]) * liked)
    drawn, other = chance.random(len(fit)), chance.random(len(fit))
    says_no = other < np.array([pro.refuse for pro in fit])
    after = np.array([pro.median_ms for pro in fit]) * np.exp(scenario.sigma * chance.normal(size=len(fit)))
    does = np.where(drawn < yes, ACCEPT, np.where(says_no, REFUSE, SILENT))
    return does.tolist(), np.maximum(1_000, after).astype(int).tolist(), yes.tolist()


SCENARIOS = (
    Scenario(name="last_minute", about="a visit in two hours, 45 minutes to find somebody", lead_h=2, search_min=45),
    Scenario(name="unpopular", about="the same where one in ten accepts", lead_h=2, search_min=45, yes=(0.7, 6.3)),
    Scenario(name="advance", about="a visit in fifty hours, a day to find somebody", lead_h=50, quick_min=5, slow_min=45),
)

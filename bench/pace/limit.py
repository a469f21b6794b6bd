"""How much any schedule can win over an even one, where all bookings and all providers are alike.

Of such a market nothing is learnt while everybody is silent but the time that has passed, so the best policy that is not told of refusals
is a list of moments, and so is the best one that is told of each refusal the moment somebody is asked: it asks the next at once, as if
only those were asked who will not refuse. A real policy stands between the two. Both are reckoned, not played: with p the chance of an
accept and G the distribution of its delay, nobody has accepted by t with S(t), the product of 1 - p G(t - asked) over those asked; of
those asked, the sum of p S(asked) accept, all but one of them too late (WAVES.md 2).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.pace.offers import Offer
from bench.pace.world import ACCEPT, MINUTE, REFUSE

PART = 0.05  # of the bookings that are not filled by the time that is looked for
HORIZON, MOST = 1_440.0, 14  # minutes of a search; asked at most
TRIES, HALVINGS = 2_500, 16


@dataclass(frozen=True, slots=True)
class Market:
    """The chance of an accept, and sorted delays of accepts in minutes."""

    yes: float
    delays: np.ndarray


@dataclass(frozen=True, slots=True)
class Limit:
    """The p95 in minutes of an even schedule and of the best one, at so many late accepts a fill."""

    late: float
    told: bool
    even: float
    best: float
    moments: tuple[float, ...]

    @property
    def shorter(self) -> float:
        """By what share."""
        return 1 - self.best / self.even


def market(offers: Sequence[Offer], *, told: bool) -> Market:
    """The offers as one market; ``told``: those who would refuse are known when they are asked."""
    yes = sum(one.does == ACCEPT for one in offers)
    no = sum(one.does == REFUSE for one in offers)
    return Market(yes / (len(offers) - no * told), np.sort([one.after_ms / MINUTE for one in offers if one.does == ACCEPT]))


def nobody(of: Market, moments: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The chance that none of those asked at these moments has accepted by each of others."""
    ages = np.asarray(at, dtype=float)[:, None] - moments[None, :]
    accepted = np.searchsorted(of.delays, ages, side="right") / len(of.delays)
    alone: np.ndarray = np.prod(1 - of.yes * np.where(ages >= 0, accepted, 0.0), axis=1)
    return alone


def late(of: Market, moments: np.ndarray) -> float:
    """Late accepts a booking of a schedule."""
    return float(of.yes * nobody(of, moments, moments).sum() - 1 + nobody(of, moments, np.array([HORIZON]))[0])


def time_to(of: Market, moments: np.ndarray, part: float = PART) -> float:
    """When all but a part of the bookings are filled."""
    low, high = 0.0, HORIZON
    for _ in range(HALVINGS + 8):
        middle = (low + high) / 2
        low, high = (low, middle) if nobody(of, moments, np.array([middle]))[0] <= part else (middle, high)
    return high


def stretched(of: Market, gaps: np.ndarray, wanted: float) -> np.ndarray:
    """The schedule with gaps in these proportions that makes so many late accepts."""
    low, high = np.log(1e-3), np.log(1e3)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if late(of, _moments(gaps * np.exp(middle))) > wanted else (low, middle)
    return _moments(gaps * np.exp(high))


def _moments(gaps: np.ndarray) -> np.ndarray:
    moments = np.concatenate([[0.0], np.cumsum(gaps)])
    return moments[moments < HORIZON]


def limit(of: Market, wanted: float, *, told: bool, seed: int = 1, tries: int = TRIES) -> Limit:
    """The best schedule found by chance moves from the even one, each kept when its p95 is shorter."""
    chance, gaps = np.random.default_rng(seed), np.full(MOST - 1, 30.0)
    places = (np.arange(MOST - 1) + 0.5) / (MOST - 1)
    moments = stretched(of, gaps, wanted)
    even = best = time_to(of, moments)
    for number in range(tries):
        step = 0.5 * 0.7 ** (5 * number / tries) * chance.normal()
        if number % 3:
            tried = gaps * np.exp(0.6 * step * np.cos(np.pi * chance.integers(1, 5) * places))
        else:
            tried = gaps * np.where(np.arange(MOST - 1) == chance.integers(MOST - 1), np.exp(step), 1.0)
        found = stretched(of, np.maximum(tried, 0.01), wanted)
        if (time := time_to(of, found)) < best:
            gaps, best, moments = np.maximum(tried, 0.01), time, found
    return Limit(wanted, told, even, best, tuple(float(one) for one in moments))

"""How much any schedule can win over an even one, where all providers are alike.

Of such a market nothing is learnt while everybody is silent but the time that has passed, so the best policy that is not told of refusals
is a list of moments. Where all bookings are alike too, so is the best one that is told of each refusal the moment somebody is asked: it
asks the next at once, as if only those were asked who will not refuse. (Where some bookings are better liked, refusals tell that as well,
and the list is only near the best.) A real policy stands between the two. Both are reckoned, not played: with p the chance of an accept and
G the distribution of its delay, nobody has accepted by t with S(t), the product of 1 - p G(t - asked) over those asked, the mean of it over
the bookings; of those asked, the sum of p S(asked) accept, all but one of them too late (WAVES.md 2).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from bench.pace.offers import Offer
from bench.pace.world import ACCEPT, MINUTE, REFUSE, SURE, Scenario

PART = 0.05  # of the bookings that can be filled: those that are not by the time that is looked for
HORIZON, MOST = 1_440.0, 14  # minutes of a search; asked at most, where as many fit
TRIES, HALVINGS = 1_000, 16
LIKINGS, DELAYS = 24, 400  # kinds of bookings, and delays, that stand for all


@dataclass(frozen=True)
class Market:
    """The chance of an accept for each of some kinds of bookings, equally many of each, and sorted delays of accepts in minutes.

    ``length``: minutes of a search; ``most``: who can be asked.
    """

    yes: np.ndarray
    delays: np.ndarray
    length: float = HORIZON
    most: int = MOST

    @cached_property
    def fillable(self) -> float:
        """The share of the bookings filled when everybody is asked at once."""
        return float(1 - nobody(self, np.zeros(self.most), np.array([self.length]))[0])


@dataclass(frozen=True, slots=True)
class Limit:
    """The p95 in minutes, of those that can be filled, of an even schedule and of the best one, at so many late accepts a fill."""

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
    delays = np.sort([one.after_ms / MINUTE for one in offers if one.does == ACCEPT])
    return Market(np.array([yes / (len(offers) - no * told)]), delays)


def assumed(scenario: Scenario, *, told: bool) -> Market:
    """A scenario as a market whose providers are alike, and its bookings liked as they are there."""
    chance = np.random.default_rng(0)
    liked = np.sort(chance.gamma(scenario.liking, 1 / scenario.liking, (LIKINGS, 2_000)).ravel()).reshape(LIKINGS, -1)
    rates = chance.beta(*scenario.yes, 2_000)
    yes = np.array([np.minimum(SURE, rates * one).mean() for one in liked])
    no = (1 - yes) * sum(scenario.refuse) / 2
    normal = np.sort(chance.normal(size=2_000))[None, :]
    medians = np.array([scenario.quick_min] * round(10 * scenario.online) + [scenario.slow_min] * round(10 * (1 - scenario.online)))
    delays = np.sort((medians[:, None] * np.exp(scenario.sigma * normal)).ravel())
    length, most = scenario.search_min or HORIZON, sum(scenario.fit) / 2 * (1 - no.mean() * told)
    return Market(yes / (1 - no * told), delays[:: len(delays) // DELAYS], length, round(most))


def nobody(of: Market, moments: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The chance that none of those asked at these moments has accepted by each of others."""
    mean: np.ndarray = _alone(of, moments, at).mean(axis=0)
    return mean


def _alone(of: Market, moments: np.ndarray, at: np.ndarray) -> np.ndarray:
    """The same for each kind of booking (a row)."""
    ages = np.asarray(at, dtype=float)[:, None] - moments[None, :]
    accepted = np.where(ages >= 0, np.searchsorted(of.delays, ages, side="right") / len(of.delays), 0.0)
    alone: np.ndarray = np.prod(1 - of.yes[:, None, None] * accepted, axis=2)
    return alone


def late(of: Market, moments: np.ndarray) -> float:
    """Late accepts a fill of a schedule."""
    filled = 1 - nobody(of, moments, np.array([of.length]))[0]
    accepts = (of.yes[:, None] * _alone(of, moments, moments)).mean(axis=0).sum()
    return float(accepts / filled - 1)


def time_to(of: Market, moments: np.ndarray, part: float = PART) -> float:
    """When all but a part of the bookings that can be filled are."""
    low, high, left = 0.0, of.length, 1 - (1 - part) * of.fillable
    for _ in range(HALVINGS + 8):
        middle = (low + high) / 2
        low, high = (low, middle) if nobody(of, moments, np.array([middle]))[0] <= left else (middle, high)
    return high


def stretched(of: Market, gaps: np.ndarray, wanted: float) -> np.ndarray:
    """The schedule with gaps in these proportions that makes so many late accepts."""
    low, high = np.log(1e-3), np.log(1e3)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if late(of, _moments(of, gaps * np.exp(middle))) > wanted else (low, middle)
    return _moments(of, gaps * np.exp(high))


def _moments(of: Market, gaps: np.ndarray) -> np.ndarray:
    moments = np.concatenate([[0.0], np.cumsum(gaps)])
    return moments[moments < of.length]


def limit(of: Market, wanted: float, *, told: bool, seed: int = 1, tries: int = TRIES) -> Limit:
    """The best schedule found by chance moves from the even one, each kept when its p95 is shorter."""
    chance, count = np.random.default_rng(seed), of.most - 1
    gaps, places = np.full(count, of.length / 48), (np.arange(count) + 0.5) / count
    moments = stretched(of, gaps, wanted)
    even = best = time_to(of, moments)
    for number in range(tries):
        step = 0.5 * 0.7 ** (5 * number / tries) * chance.normal()
        if number % 3:
            tried = gaps * np.exp(0.6 * step * np.cos(np.pi * chance.integers(1, 5) * places))
        else:
            tried = gaps * np.where(np.arange(count) == chance.integers(count), np.exp(step), 1.0)
        tried = np.maximum(tried, of.length / 144_000)
        found = stretched(of, tried, wanted)
        if (time := time_to(of, found)) < best:
            gaps, best, moments = tried, time, found
    return Limit(wanted, told, even, best, tuple(float(one) for one in moments))

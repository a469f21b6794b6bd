"""How the load moves with time: the rate of bookings, and when devices come online.

A scenario says what share of the full booking rate is wanted at a moment of the run (0 to 1), and how long after the start each device
connects. ``share`` is the run's progress from 0 to 1.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

HERD_AT, HERD_S = 0.4, 2.0


@dataclass(frozen=True, slots=True)
class Scenario:
    """``rate``: share of the full rate at a progress; ``connect_s``: seconds after the start at which a device (0 to 1 of all) connects."""

    text: str
    rate: Callable[[float], float]
    connect_s: Callable[[float, float], float]


def _at_once(device: float, run_s: float) -> float:
    """As fast as Locust makes them."""
    return 0.0


def _day(share: float) -> float:
    """A day in one run: a quiet night, a hump before noon and one in the evening."""
    hour = 24 * share
    return 0.08 + 0.92 * max(math.exp(-(((hour - 11) / 3) ** 2)), 0.9 * math.exp(-(((hour - 18.5) / 2.5) ** 2)))


def _rush(share: float) -> float:
    """Last-minute rush: a fifth of the rate, and all of it in the middle third."""
    return 1.0 if 1 / 3 <= share < 2 / 3 else 0.2


def _herd(device: float, run_s: float) -> float:
    """Everybody comes online within two seconds, while bookings are already waiting: 07:00."""
    return HERD_AT * run_s + HERD_S * device


SCENARIOS = {
    "steady": Scenario("the full rate all the time", lambda _: 1.0, _at_once),
    "day": Scenario("the curve of a day in one run", _day, _at_once),
    "rush": Scenario("a last-minute rush in the middle third", _rush, _at_once),
    "herd": Scenario("bookings wait, then all devices come online within 2 s", lambda _: 1.0, _herd),
}

"""How the load moves with time: the rate of bookings, when devices come online, and what happens to their connections.

A scenario says what share of the full booking rate is wanted at a moment of the run (0 to 1), how long after the start each device
connects, and which troubles it has when. ``share`` is the run's progress from 0 to 1, ``device`` which of all it is, from 0 to 1.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

HERD_AT, HERD_S = 0.4, 2.0
STORM_AT = 0.4
STALLED, STALLED_AT, STALLED_S, STALLED_MOST = 0.01, 0.3, 20.0, 0.4  # the last: of the run, so that he is well again before its end
FLAPPING, CALM_S, BURST, APART_S = 1 / 3, 15.0, 3, (0.3, 2.0)


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happens to a device so many seconds after the start: ``cut`` (no network), ``storm`` (the same, for everybody at once), or
    ``hang`` (the app reads nothing for ``lasts_s``)."""

    at_s: float
    kind: str
    lasts_s: float = 0.0


def _none(device: float, run_s: float, chance: Random) -> Iterator[Trouble]:
    """Nothing but ``--drops-per-minute``."""
    return iter(())


@dataclass(frozen=True, slots=True)
class Scenario:
    """``rate``: share of the full rate at a progress; ``connect_s``: seconds after the start at which a device (0 to 1 of all) connects;
    ``troubles``: what it has to stand. ``patient``: it comes back with the pauses of the protocol, not at once."""

    text: str
    rate: Callable[[float], float]
    connect_s: Callable[[float, float], float]
    troubles: Callable[[float, float, Random], Iterator[Trouble]] = _none
    patient: bool = False


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


def _storm(device: float, run_s: float, chance: Random) -> Iterator[Trouble]:
    """Everybody loses his connection in the same moment: a cell, a proxy or a gateway has died."""
    yield Trouble(STORM_AT * run_s, "storm")


def _stalled(device: float, run_s: float, chance: Random) -> Iterator[Trouble]:
    """One in a hundred reads nothing for 20 s, while messages for him go on."""
    if device < STALLED:
        yield Trouble(STALLED_AT * run_s, "hang", min(STALLED_S, STALLED_MOST * run_s))


def _flapping(device: float, run_s: float, chance: Random) -> Iterator[Trouble]:
    """A third of all sits in trains and lifts: calm for a while, then cut three times in a row, sometimes before all is told again."""
    at = chance.expovariate(1 / CALM_S) if device < FLAPPING else run_s
    while at < run_s:
        for _ in range(BURST):
            yield Trouble(at, "cut")
            at += chance.uniform(*APART_S)
        at += chance.expovariate(1 / CALM_S)


def _always(share: float) -> float:
    """The full rate all the time."""
    return 1.0


SCENARIOS = {
    "steady": Scenario("the full rate all the time", _always, _at_once),
    "day": Scenario("the curve of a day in one run", _day, _at_once),
    "rush": Scenario("a last-minute rush in the middle third", _rush, _at_once),
    "herd": Scenario("bookings wait, then all devices come online within 2 s", _always, _herd),
    "storm": Scenario("all devices are cut off at once, and come back with the protocol's pauses", _always, _at_once, _storm, True),
    "stalled": Scenario("1 % of the devices stop reading for 20 s", _always, _at_once, _stalled),
    "flapping": Scenario("a third of the devices is cut off three times in a row, often", _always, _at_once, _flapping),
}

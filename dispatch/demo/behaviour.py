"""What a provider does with a proposal, and how long he takes: real answers to real requests, made faster.

The shares are those of 6,391 audited requests (Edelman, Luca, Svirsky 2017, doi 10.1257/app.20160213): 33 % yes, 11 % yes with a condition
(a yes here), 1.2 % another time, 25 % no, 14.5 % nothing ever, the rest a question or "later": half of those fall silent here, half answer
late with a no. A yes took 156 minutes in the median, a no 426, with a log-spread of 2.2 (nights included). Those were hosts reading e-mail
about a weekend two months ahead. A professional with a phone that rings is faster, *by our own scale*: a last-minute yes takes 4 minutes in
the median (39 times faster), same day 12 (13 times), advance 39 (4 times), far 78 (twice); the spread is halved; a no keeps its ratio.
"""

import math
from dataclasses import dataclass
from enum import StrEnum
from random import Random


class Answer(StrEnum):
    """What he does in the end."""

    ACCEPT = "accept"
    COUNTER = "counter"
    REFUSE = "refuse"
    NEVER = "never"


YES_S = 156 * 60
NO_S = 426 * 60
LATE = 4.0  # a question or a "later" that ends in a no takes this many times longer
SPREAD = 2.2 / 2
SEEN_S = 30.0  # mean time until a proposal is looked at
FASTER = {"last_minute": 39.0, "same_day": 13.0, "advance": 4.0, "far": 2.0}

# (what, share in percent, median in seconds of the e-mail answer)
SHARES: tuple[tuple[Answer, float, float], ...] = (
    (Answer.ACCEPT, 33.0, YES_S),
    (Answer.ACCEPT, 11.0, YES_S),
    (Answer.COUNTER, 1.2, YES_S),
    (Answer.REFUSE, 25.0, NO_S),
    (Answer.NEVER, 14.5, 0.0),
    (Answer.NEVER, 7.65, 0.0),
    (Answer.REFUSE, 7.65, NO_S * LATE),
)
REASONS = ("too far", "busy", "price", None)


@dataclass(frozen=True, slots=True)
class Plan:
    """An answer and when it will be given, in engine seconds after the proposal arrived; ``seen_s``: when he looks at it."""

    answer: Answer
    after_s: float
    seen_s: float
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Temperament:
    """What is his own: ``pace`` multiplies his delays, ``drops`` is how often an hour his connection breaks."""

    pace: float
    drops_per_hour: float


def temperament(chance: Random) -> Temperament:
    """Most are near the middle; one in ten has a bad connection."""
    return Temperament(pace=chance.lognormvariate(0, 0.4), drops_per_hour=1.5 if chance.random() < 0.1 else 0.05)


def plan(chance: Random, urgency: str, pace: float) -> Plan:
    """Draws what a provider will do with a proposal of this urgency."""
    [(answer, _, median_s)] = chance.choices(SHARES, weights=[share for _, share, _ in SHARES])
    after_s = median_s / FASTER[urgency] * pace * math.exp(chance.gauss(0, SPREAD))
    seen_s = chance.expovariate(1 / SEEN_S)
    reason = chance.choice(REASONS) if answer is Answer.REFUSE else None
    return Plan(answer, max(seen_s, after_s), seen_s, reason)


def urgency_of(lead_s: float) -> str:
    """The class of a booking by its lead time, as a provider would feel it (R12's bounds)."""
    bounds = (("last_minute", 6), ("same_day", 24), ("advance", 72))
    return next((name for name, hours in bounds if lead_s < hours * 3600), "far")

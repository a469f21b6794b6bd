"""What a provider answers, and after how long: the shares and delays of 6,391 real requests, made faster.

Edelman, Luca, Svirsky 2017 (doi 10.1257/app.20160213), per request: 33 % yes, 11 % yes with a condition (a yes here), 1.2 % another time (a
no here), 25 % no, 14.5 % nothing ever, the rest a question or "later" (silence here). A yes took 156 minutes in the median, a no 426, with
a log-spread of 2.2: e-mail. ``haste`` divides the medians and halves the spread: 4,680 makes a yes take 2 seconds, so that a minute of load
holds whole stories. It is a load test's haste, nobody's real one.
"""

import math
from random import Random

YES_S, NO_S, SPREAD = 156 * 60.0, 426 * 60.0, 1.1
SHARES: tuple[tuple[str, float, float], ...] = (("accept", 44.0, YES_S), ("refuse", 26.2, NO_S), ("never", 29.8, 0.0))


def draw(chance: Random, haste: float) -> tuple[str, float]:
    """What he does (accept, refuse, never) and after how many seconds."""
    [(answer, _, median_s)] = chance.choices(SHARES, weights=[share for _, share, _ in SHARES])
    return answer, median_s / haste * math.exp(chance.gauss(0, SPREAD))

"""When a link wants attention: its pings, the moment at which silence means death, and its age. No clock, no chance of its own.

Pings leave every ``every_ms``; in the first minutes of a proposal every ``fresh_every_ms``, and then silence is believed sooner, because
somebody waits for the answer. After a while (drawn between half of ``age_ms`` and all of it) a link is asked to move: links that began
together, after a crash of their gateway, do not end together, and the day's deployment is nothing a device has not seen before.
"""

from typing import Final

from dispatch.gateway.limits import NEVER, Limits

GOLDEN: Final = 0.618034  # evenly spread without a source of chance: the golden section
MOVE_WITHIN: Final = 0.75  # of the time until the deadline: the rest is for the move itself


class Rhythm:
    """The moments of one link (ms); ``chance`` (0 to 1) sets them apart from those of the others."""

    __slots__ = ("_chance", "_fresh_from", "_fresh_until", "_limits", "drain_at", "heard_at", "leave_at", "ping_at", "read_at")

    def __init__(self, limits: Limits, chance: float, now: int) -> None:
        self._limits, self._chance = limits, chance
        self.heard_at = self.read_at = now  # ``read_at``: when he last said something that only one can who has read what we wrote
        self.ping_at = self.drain_at = self.leave_at = NEVER
        self._fresh_from = self._fresh_until = 0

    def begin(self, now: int) -> None:
        """The link is live."""
        self.heard_at = self.read_at = now
        self.drain_at = now + round(self._limits.age_ms * (1 + self.draw()) / 2)
        self.schedule_ping(now)

    @property
    def next(self) -> int:
        """The first of the moments."""
        return min(self.ping_at, self.dead_at, self.drain_at, self.leave_at)

    @property
    def dead_at(self) -> int:
        """When we give up if nothing is heard until then, sooner while a proposal is fresh, counted from its coming; or if nothing that is
        heard until then shows that he reads."""
        lasting = min(self.heard_at + self._limits.dead_ms, self.read_at + self._limits.deaf_ms)
        sooner = max(self.heard_at, self._fresh_from) + self._limits.fresh_dead_ms
        return min(lasting, sooner) if sooner <= self._fresh_until else lasting

    def draw(self) -> float:
        """The next number of this link's own, 0 to 1."""
        self._chance = (self._chance + GOLDEN) % 1
        return self._chance

    def schedule_ping(self, now: int) -> None:
        """One has just left, or is not needed yet."""
        every = self._limits.fresh_every_ms if now < self._fresh_until else self._limits.every_ms
        self.ping_at = now + round(every * (1 + self._limits.spread * (2 * self.draw() - 1)))

    def freshen(self, now: int, age: int) -> None:
        """A proposal of that age goes out."""
        until = now + self._limits.fresh_ms - age
        if until <= now:
            return
        if now >= self._fresh_until:
            self._fresh_from = now
        self._fresh_until = max(self._fresh_until, until)
        self.ping_at = min(self.ping_at, now + self._limits.fresh_every_ms)

    def move_by(self, now: int, deadline_ms: int) -> int:
        """The link is to move within so long; after how many ms it should begin."""
        self.drain_at, self.leave_at = NEVER, min(self.leave_at, now + deadline_ms)
        return round(self.draw() * deadline_ms * MOVE_WITHIN)

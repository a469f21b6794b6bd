"""What a process saw of bookings and proposals. Workers report theirs to the master, which adds them up and judges.

Everything is lists and numbers, so that it travels between Locust's processes as it is.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

Received = tuple[str, str, int]  # provider, proposal, version
Won = tuple[str, str, str]  # booking, provider, request id


@dataclass(slots=True)
class Ledger:
    """Bookings opened, proposals received, wins told; since when each device is online, ms by the engine's clock.

    ``bad_repeats`` are bookings of which a repeat with the same key was answered differently; ``cpu`` is the share of a core that each
    process of the generator used itself; ``troubles`` how often a scenario made trouble, by kind; ``offset_ms`` is the engine's clock minus
    ours.
    """

    opened: list[str] = field(default_factory=list)
    won: list[Won] = field(default_factory=list)
    received: list[Received] = field(default_factory=list)
    online: dict[str, int] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    bad_repeats: list[str] = field(default_factory=list)
    troubles: dict[str, int] = field(default_factory=dict)
    offset_ms: int = 0

    def take(self) -> dict[str, Any]:
        """What is new since the last take, ready to travel."""
        report = {"opened": self.opened, "won": self.won, "received": self.received, "bad_repeats": self.bad_repeats}
        report["troubles"] = self.troubles
        self.opened, self.won, self.received, self.bad_repeats, self.troubles = [], [], [], [], {}
        return {**report, "online": dict(self.online), "cpu": dict(self.cpu), "offset_ms": self.offset_ms}

    def add(self, report: dict[str, Any]) -> None:
        """Adds what another process took."""
        self.opened += report["opened"]
        self.bad_repeats += report["bad_repeats"]
        self.won += [(booking, provider, request) for booking, provider, request in report["won"]]
        self.received += [(provider, proposal, version) for provider, proposal, version in report["received"]]
        for kind, times in report["troubles"].items():
            self.troubles[kind] = self.troubles.get(kind, 0) + times
        self.online |= report["online"]
        self.cpu |= report["cpu"]
        self.offset_ms = report["offset_ms"] or self.offset_ms

    def winners(self) -> dict[str, set[tuple[str, str]]]:
        """For each booking, the distinct (provider, request id) that were told ``won``."""
        out: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for booking, provider, request in self.won:
            out[booking].add((provider, request))
        return out

    def twice(self) -> list[Received]:
        """Proposals that a device was given more than once as new."""
        return [received for received, times in Counter(self.received).items() if times > 1]

"""Everything the demo sees from outside while it runs: what it opened, what its devices were shown and won, which webhooks came."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from dispatch.client import Proposal, Result
from dispatch.client.bookings import BookingRequest, WebhookEvent

Span = tuple[int, int]  # engine time, ms since 1970 UTC


@dataclass(frozen=True, slots=True)
class Shown:
    """A proposal as a device received it. ``windows`` are those shown to this provider; ``at`` is engine time, as the demo reads it."""

    proposal: str
    booking_id: str
    provider_id: str
    wave: int
    kind: str
    windows: tuple[Span, ...]
    at: int


@dataclass(frozen=True, slots=True)
class Win:
    """A ``won`` result: who won what, under which request id, for which time."""

    booking_id: str
    provider_id: str
    request: str
    visit: Span


@dataclass(slots=True)
class Record:
    """Grows while the demo runs. One event loop writes it; nothing here is ever taken from the engine's insides."""

    asked: dict[str, BookingRequest] = field(default_factory=dict)
    opened: set[str] = field(default_factory=set)
    refusals: Counter[str] = field(default_factory=Counter)
    shown: dict[tuple[str, str], Shown] = field(default_factory=dict)
    wins: dict[str, set[Win]] = field(default_factory=lambda: defaultdict(set))
    outcomes: Counter[str] = field(default_factory=Counter)
    hooks: dict[str, WebhookEvent] = field(default_factory=dict)
    hooks_again: int = 0
    hooks_false: int = 0
    reconnects: int = 0
    failures: Counter[str] = field(default_factory=Counter)

    def saw(self, provider_id: str, proposal: Proposal, at: int) -> bool:
        """Keeps a proposal; whether it is the first time this provider sees it."""
        windows = tuple((window.start, window.end) for window in proposal.booking.windows)
        shown = Shown(proposal.proposal, proposal.booking.booking_id, provider_id, proposal.wave, proposal.kind, windows, at)
        return self.shown.setdefault((provider_id, proposal.proposal), shown) is shown

    def answered(self, provider_id: str, result: Result) -> None:
        """Keeps the outcome of a command, and who won when it is a win."""
        self.outcomes[result.outcome] += 1
        if result.outcome == "won" and result.booking is not None:
            agreed = result.booking.windows[result.booking.window or 0]
            self.wins[result.booking.booking_id].add(Win(result.booking.booking_id, provider_id, result.id, (agreed.start, agreed.end)))

    def hooked(self, event: WebhookEvent) -> None:
        """Keeps a webhook once, however often it is sent."""
        self.hooks_again += event.id in self.hooks
        self.hooks.setdefault(event.id, event)

    @property
    def too_late(self) -> int:
        """Accepts that came after somebody else's, or after the end."""
        return sum(self.outcomes[name] for name in ("lost", "expired", "cancelled"))

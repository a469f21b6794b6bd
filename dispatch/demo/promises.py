"""The promises of SPEC section 12, judged from outside: by what devices and webhooks received, against what the engine says of itself.

Each judge counts what it looked at. A promise that nothing was looked at for is not kept, it is unproven.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from dispatch.client.bookings import Event
from dispatch.demo.clock import ms
from dispatch.demo.evidence import Evidence, moment, owed
from dispatch.demo.legal import too_near, wrongs
from dispatch.demo.numbers import asked
from dispatch.demo.record import Shown, Span

LATE_MS = 250  # wall, P6
STUCK_MS = 1_000  # wall, P3
ENDS = {"accepted", "unfilled", "cancelled"}
EXAMPLES = 5
COUNTED = {
    "opened": "Opened",
    "accepted": "Accepted",
    "unfilled": "Unfilled",
    "cancelled": "Cancelled",
    "refused": "Refused",
    "accepts_late": "AcceptedTooLate",
}


@dataclass(slots=True)
class Verdict:
    """How often a promise was looked at, how often it was broken, and some cases."""

    checked: int = 0
    broken: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def kept(self) -> bool:
        """Looked at, and never broken."""
        return self.checked > 0 and self.broken == 0

    def see(self, faults: Iterable[str]) -> None:
        """Counts one case, and what was wrong with it."""
        found = list(faults)
        self.checked += 1
        self.broken += bool(found)
        self.examples += found[: max(0, EXAMPLES - len(self.examples))]


@dataclass(frozen=True, slots=True)
class Held:
    """A visit in a provider's diary, from the accept to a cancellation (engine ms)."""

    booking_id: str
    visit: Span
    since: int
    until: int


def judge(evidence: Evidence) -> dict[str, Verdict]:
    """All promises that can be seen from outside."""
    judges: dict[str, Callable[[Evidence], Verdict]] = {
        "P1": one_winner, "P3": no_one_stuck, "P5": only_legal, "P6": on_time, "P7": no_overlap, "P12": metrics_agree,
    }  # fmt: skip
    return {name: by(evidence) for name, by in judges.items()}


def one_winner(evidence: Evidence) -> Verdict:
    """P1: every accepted booking has one ``won`` among all devices; the engine and its webhook name the same winner. What was won on the
    phone that is not ours has none among ours."""
    verdict, told = Verdict(), _told_winners(evidence)
    accepted = {booking_id for booking_id, _ in evidence.events("Accepted")}
    for booking_id in accepted | set(evidence.record.wins):
        winners = sorted(win.provider_id for win in evidence.record.wins[booking_id])
        says, hook = _winner(evidence, booking_id), told.get(booking_id)
        ours = says != [evidence.played]
        agreed = len(says) == 1 and winners == (says if ours else []) and hook == says
        verdict.see([] if agreed else [f"{booking_id}: devices {winners}, engine {says}, webhook {hook}"])
    return verdict


def no_one_stuck(evidence: Evidence) -> Verdict:
    """P3: a booking has ended, or searches before its deadline; it ends as unfilled within a second (wall) of it."""
    verdict, allowed = Verdict(), STUCK_MS * evidence.speed
    deadlines = {booking_id: moment(event.fields["deadline"]) for booking_id, event in evidence.events("Opened")}
    closed = {booking_id: ms(event.at) for booking_id, event in evidence.events("Unfilled")}
    for booking_id in evidence.record.opened:
        booking = evidence.bookings.get(booking_id)
        state, deadline = booking.state if booking else "lost", deadlines.get(booking_id, 0)
        until = closed.get(booking_id, 0 if state in ENDS else evidence.read_at.get(booking_id, 0))
        fine = state in ENDS | {"searching"} and until <= deadline + allowed
        verdict.see([] if fine else [f"{booking_id}: {state}, {(until - deadline) / 1000:.0f} engine s after its deadline"])
    return verdict


def only_legal(evidence: Evidence) -> Verdict:
    """P5: every proposal a device received was sent by the engine, and was legal at that moment by the demo's own rules."""
    verdict, diary = Verdict(), diaries(evidence)
    sent_at = {
        (p.provider_id, p.proposal): p.sent_at for booking in evidence.bookings.values() for p in booking.proposals if p.sent_at is not None
    }
    urgencies = {(b, event.fields["wave"]): event.fields.get("urgency") for b, event in evidence.events("WaveSent")}
    for key, shown in evidence.record.shown.items():
        sent = sent_at.get(key)
        faults = (
            ["nobody sent it"]
            if sent is None
            else _illegal(evidence, shown, sent, str(urgencies.get((shown.booking_id, shown.wave))), diary)
        )
        verdict.see(f"{shown.proposal} to {shown.provider_id}: {fault}" for fault in faults)
    return verdict


def on_time(evidence: Evidence) -> Verdict:
    """P6: no wave before its time, none more than 250 ms (wall) after max(due, engine ready), nobody asked twice in a round."""
    verdict = Verdict()
    for booking_id, event in evidence.events("WaveSent"):
        late = evidence.wall_ms(ms(event.at) - owed(event))
        early = evidence.wall_ms(moment(event.fields["due"]) - ms(event.at))
        faults = [f"{late:.0f} ms late"] * (late > LATE_MS) + [f"{early:.0f} ms early"] * (early > 0)
        verdict.see(f"{booking_id} wave {event.fields['wave']}: {fault}" for fault in faults)
    for booking_id, line in evidence.timelines.items():
        verdict.see(f"{booking_id}: {who} asked {times} times" for who, times in _asked(line).items() if times > 1)
    return verdict


def no_overlap(evidence: Evidence) -> Verdict:
    """P7: no two visits that a provider held at the same time overlap, nor come nearer than the gap."""
    verdict = Verdict()
    for provider_id, held in diaries(evidence).items():
        for i, one in enumerate(held):
            both = [other for other in held[:i] if one.since < other.until and other.since < one.until and too_near(one.visit, other.visit)]
            verdict.see(f"{provider_id}: {one.booking_id} and {other.booking_id}" for other in both)
    return verdict


def metrics_agree(evidence: Evidence) -> Verdict:
    """P12: the engine's counters equal a recount of every timeline."""
    verdict = Verdict()
    for name, recounted in recount(evidence).items():
        said = evidence.metrics.get(name, 0.0)  # a counter is not there before its first event
        verdict.see([] if said == recounted else [f"{name}: the engine says {said:g}, a recount {recounted}"])
    return verdict


def recount(evidence: Evidence) -> dict[str, int]:
    """The engine's counters and its gauge of states by the name of their sample, as timelines and bookings have them."""
    seen = Counter(event.type for line in evidence.timelines.values() for event in line)
    sent = [event for _, event in evidence.events("WaveSent")]
    kinds = Counter(event.fields["kind"] for event in sent)
    states = Counter(booking.state for booking in evidence.bookings.values())
    counters = {name: seen[event] for name, event in COUNTED.items()}
    counters |= {"waves": kinds["wave"], "fills": kinds["fill"] + kinds["seat"], "proposals": sum(map(asked, sent))}
    market = evidence.market
    gauge = {f'dispatch_bookings{{market="{market}",state="{state}"}}': states[state] for state in sorted(ENDS | {"searching"})}
    return {f'dispatch_{name}_total{{market="{market}"}}': number for name, number in counters.items()} | gauge


def diaries(evidence: Evidence) -> dict[str, list[Held]]:
    """The visits each provider won, by the devices' word; since and until by the timeline."""
    diary: dict[str, list[Held]] = defaultdict(list)
    since = {booking_id: ms(event.at) for booking_id, event in evidence.events("Accepted")}
    until = {booking_id: ms(event.at) for booking_id, event in evidence.events("Cancelled")}
    for booking_id, wins in evidence.record.wins.items():
        for win in wins:
            diary[win.provider_id].append(Held(booking_id, win.visit, since.get(booking_id, 0), until.get(booking_id, 1 << 62)))
    return diary


def _illegal(evidence: Evidence, shown: Shown, sent: datetime, urgency: str, diary: dict[str, list[Held]]) -> Iterable[str]:
    booking, at = evidence.record.asked[shown.booking_id], ms(sent)
    held = [h.visit for h in diary.get(shown.provider_id, ()) if h.since < at < h.until]
    local = sent.astimezone(evidence.zone)
    return wrongs(evidence.providers[shown.provider_id], booking, shown.windows, local, urgency, held, evidence.zone)


def _winner(evidence: Evidence, booking_id: str) -> list[str]:
    """Whom the engine names over HTTP."""
    booking = evidence.bookings.get(booking_id)
    return [booking.provider_id] if booking is not None and booking.provider_id is not None else []


def _told_winners(evidence: Evidence) -> dict[str, list[str]]:
    told: dict[str, list[str]] = defaultdict(list)
    for event in evidence.record.hooks.values():
        if event.type == "booking.accepted":
            told[event.data["booking_id"]].append(event.data["provider_id"])
    return told


def _asked(line: list[Event]) -> Counter[str]:
    """How often each provider was asked in one round (the demo moves no booking: there is only one)."""
    return Counter(str(who) for event in line if event.type == "WaveSent" for who in event.fields["asked"])

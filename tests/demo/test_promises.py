"""The judges: a run in which everything went well, and for each promise the faults that must turn it red."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from dispatch.client.bookings import Booking, BookingRequest, CircleZone, Event, Place, ProposalState, ProviderLine, WebhookEvent, Window
from dispatch.demo.behaviour import Temperament
from dispatch.demo.city import Point
from dispatch.demo.clock import ms
from dispatch.demo.evidence import Evidence, samples
from dispatch.demo.hours import osm
from dispatch.demo.numbers import count
from dispatch.demo.promises import judge
from dispatch.demo.providers import EVERY_DAY, Provider
from dispatch.demo.record import Record, Shown, Win

OPENED = datetime(2026, 11, 24, 9, tzinfo=UTC)
SPEED = 60.0
PLACE = Place(lat=48.8566, lng=2.3522)


def after(minutes: float) -> datetime:
    return OPENED + timedelta(minutes=minutes)


def person(provider_id: str) -> Provider:
    line = ProviderLine(
        provider_id=provider_id,
        name="A",
        trade="hair",
        catalogue=("cut",),
        zone=CircleZone(lat=48.8566, lng=2.3522, radius_km=3),
        hours=osm(EVERY_DAY),
    )
    return Provider(line=line, home=Point(48.8566, 2.3522), week=EVERY_DAY, nature=Temperament(1, 0), encoding="json")


def booking(booking_id: str, hour: int) -> BookingRequest:
    window = Window(start=OPENED.replace(hour=hour), end=OPENED.replace(hour=hour + 1))
    return BookingRequest(booking_id=booking_id, client_id="c", place=PLACE, services=("cut",), windows=(window,))


def event(seq: int, at: datetime, name: str, **fields: Any) -> Event:
    return Event(seq=seq, at=at, type=name, fields=fields)


def wave(seq: int, at: datetime, number: int, *asked: str, due: datetime | None = None) -> Event:
    owed = (due or at).isoformat()
    return event(seq, at, "WaveSent", wave=number, kind="wave", asked=list(asked), due=owed, ready=owed, urgency="last_minute")


def proposal(name: str, provider_id: str, state: str, sent: datetime) -> ProposalState:
    return ProposalState(proposal=name, provider_id=provider_id, wave=1, kind="ordinary", state=state, sent_at=sent)


def good() -> Evidence:
    """b-1 was offered to both and won by p-1; b-2 was offered to p-2 and nobody took it."""
    evidence = Evidence(record=Record(), providers={name: person(name) for name in ("p-1", "p-2")}, speed=SPEED, zone=ZoneInfo("UTC"))
    one, two = booking("b-1", 12), booking("b-2", 14)
    evidence.record.asked |= {"b-1": one, "b-2": two}
    evidence.record.opened |= {"b-1", "b-2"}
    for name, provider_id, of in (("1.1.1", "p-1", one), ("1.1.2", "p-2", one), ("2.1.2", "p-2", two)):
        span = (ms(of.windows[0].start), ms(of.windows[0].end))
        evidence.record.shown[provider_id, name] = Shown(name, of.booking_id, provider_id, 1, "ordinary", (span,), ms(OPENED))
    evidence.record.wins["b-1"].add(Win("b-1", "p-1", "r-1", (ms(one.windows[0].start), ms(one.windows[0].end))))
    evidence.record.outcomes["won"] += 1
    evidence.record.hooked(WebhookEvent(id="evt_1", type="booking.accepted", data={"booking_id": "b-1", "provider_id": "p-1"}))
    evidence.timelines = {
        "b-1": [
            event(1, OPENED, "Opened", deadline=after(120).isoformat()),
            wave(2, OPENED, 1, "p-1", "p-2"),
            event(3, after(4), "Accepted", provider_id="p-1"),
        ],
        "b-2": [
            event(1, OPENED, "Opened", deadline=after(240).isoformat()),
            wave(2, after(1), 1, "p-2", due=after(1)),
            event(3, after(240), "Unfilled"),
        ],
    }
    facts: dict[str, Any] = {"urgency": "last_minute", "services": ("cut",)}
    evidence.bookings = {
        "b-1": Booking(
            booking_id="b-1", state="accepted", provider_id="p-1", windows=one.windows, **facts,
            proposals=(proposal("1.1.1", "p-1", "accepted", OPENED), proposal("1.1.2", "p-2", "withdrawn", OPENED)),
        ),
        "b-2": Booking(
            booking_id="b-2", state="unfilled", windows=two.windows, **facts, proposals=(proposal("2.1.2", "p-2", "expired", after(1)),)
        ),
    }  # fmt: skip
    evidence.read_at = {"b-1": ms(after(300)), "b-2": ms(after(300))}
    counters = {"opened": 2, "accepted": 1, "unfilled": 1, "waves": 2, "proposals": 3}
    evidence.metrics = {f'dispatch_{name}_total{{market="paris"}}': float(number) for name, number in counters.items()}
    evidence.metrics |= {f'dispatch_bookings{{market="paris",state="{state}"}}': 1.0 for state in ("accepted", "unfilled")}
    return evidence


def test_a_good_run_keeps_every_promise_and_each_was_looked_at() -> None:
    assert {name: (v.kept, v.examples) for name, v in judge(good()).items()} == dict.fromkeys(
        ("P1", "P3", "P5", "P6", "P7", "P12"), (True, [])
    )


def test_what_is_won_on_the_phone_of_whoever_watches_is_won_by_him_alone() -> None:
    """P1: the demo's own devices know nothing of it; the engine and its webhook agree all the same, and nobody of ours has won too."""
    played = good()
    played.played = "p-1"
    played.record.wins.clear()
    assert judge(played)["P1"].kept
    second_winner(played)
    assert not judge(played)["P1"].kept
    other = good()
    other.played = "p-1"
    other.record.wins.clear()
    webhook_names_another(other)
    assert not judge(other)["P1"].kept


def test_a_run_in_which_nothing_happened_proves_nothing() -> None:
    empty = Evidence(record=Record(), providers={}, speed=SPEED, zone=ZoneInfo("UTC"))
    assert not any(verdict.kept for name, verdict in judge(empty).items() if name != "P12")


def second_winner(e: Evidence) -> None:
    e.record.wins["b-1"].add(Win("b-1", "p-2", "r-2", (0, 1)))


def won_twice_over(e: Evidence) -> None:
    e.record.wins["b-1"].add(Win("b-1", "p-1", "r-2", (ms(after(180)), ms(after(240)))))


def nobody_was_told(e: Evidence) -> None:
    e.record.wins.clear()


def webhook_names_another(e: Evidence) -> None:
    e.record.hooks["evt_1"].data["provider_id"] = "p-2"


def no_webhook(e: Evidence) -> None:
    e.record.hooks.clear()


def two_webhooks(e: Evidence) -> None:
    e.record.hooked(WebhookEvent(id="evt_2", type="booking.accepted", data={"booking_id": "b-1", "provider_id": "p-1"}))


def engine_names_another(e: Evidence) -> None:
    e.bookings["b-1"] = msgspec.structs.replace(e.bookings["b-1"], provider_id="p-2")


def won_though_unfilled(e: Evidence) -> None:
    e.record.wins["b-2"].add(Win("b-2", "p-2", "r-2", (0, 1)))


def still_searching(e: Evidence) -> None:
    e.bookings["b-2"] = msgspec.structs.replace(e.bookings["b-2"], state="searching")
    e.timelines["b-2"].pop()


def closed_late(e: Evidence) -> None:
    e.timelines["b-2"][-1] = event(3, after(240) + timedelta(seconds=61), "Unfilled")


def lost(e: Evidence) -> None:
    del e.bookings["b-2"]


def out_of_zone(e: Evidence) -> None:
    e.record.asked["b-2"] = msgspec.structs.replace(e.record.asked["b-2"], place=Place(lat=49, lng=2.35))


def never_sent(e: Evidence) -> None:
    e.bookings["b-2"] = msgspec.structs.replace(e.bookings["b-2"], proposals=())


def offered_beside_a_visit(e: Evidence) -> None:
    """p-2 had won a visit at the same hour before b-2 was offered to him."""
    busy = e.record.asked["b-2"].windows[0]
    e.record.wins["b-0"].add(Win("b-0", "p-2", "r-0", (ms(busy.start), ms(busy.end))))
    e.timelines["b-0"] = [event(1, after(-10), "Accepted", provider_id="p-2")]


def early(e: Evidence) -> None:
    e.timelines["b-2"][1] = wave(2, after(1), 1, "p-2", due=after(1.01))


def late(e: Evidence) -> None:
    e.timelines["b-2"][1] = wave(2, after(1), 1, "p-2", due=after(1) - timedelta(milliseconds=251 * SPEED))


def asked_twice(e: Evidence) -> None:
    e.timelines["b-1"].append(wave(4, after(5), 2, "p-2"))


def double_booked(e: Evidence) -> None:
    e.record.wins["b-2"].add(Win("b-2", "p-1", "r-2", (ms(after(210)), ms(after(270)))))
    e.timelines["b-2"][-1] = event(3, after(5), "Accepted", provider_id="p-1")


def miscounted(e: Evidence) -> None:
    e.metrics['dispatch_waves_total{market="paris"}'] += 1


def stuck_gauge(e: Evidence) -> None:
    e.metrics['dispatch_bookings{market="paris",state="searching"}'] = 1.0


def uncounted(e: Evidence) -> None:
    e.metrics.clear()


@pytest.mark.parametrize(
    ("fault", "promise"),
    [
        (second_winner, "P1"), (won_twice_over, "P1"), (nobody_was_told, "P1"), (webhook_names_another, "P1"), (no_webhook, "P1"),
        (two_webhooks, "P1"), (engine_names_another, "P1"), (won_though_unfilled, "P1"),
        (still_searching, "P3"), (closed_late, "P3"), (lost, "P3"),
        (out_of_zone, "P5"), (never_sent, "P5"), (offered_beside_a_visit, "P5"),
        (early, "P6"), (late, "P6"), (asked_twice, "P6"),
        (double_booked, "P7"),
        (miscounted, "P12"), (stuck_gauge, "P12"), (uncounted, "P12"),
    ],
)  # fmt: skip
def test_each_fault_breaks_its_promise(fault: Callable[[Evidence], None], promise: str) -> None:
    evidence = good()
    fault(evidence)
    verdict = judge(evidence)[promise]
    assert verdict.broken > 0
    assert verdict.examples


def held_again_after_a_cancellation(e: Evidence) -> None:
    """b-1 was cancelled before p-1 won b-2 at the same hour."""
    e.timelines["b-1"].append(event(4, after(5), "Cancelled", by="client"))
    e.timelines["b-2"][-1] = event(3, after(6), "Accepted", provider_id="p-1")
    e.record.wins["b-2"].add(Win("b-2", "p-1", "r-2", (ms(after(180)), ms(after(240)))))


def just_in_time(e: Evidence) -> None:
    e.timelines["b-2"][1] = wave(2, after(1), 1, "p-2", due=after(1) - timedelta(milliseconds=250 * SPEED))


@pytest.mark.parametrize(("change", "promise"), [(held_again_after_a_cancellation, "P7"), (just_in_time, "P6")])
def test_what_only_looks_like_a_fault_breaks_nothing(change: Callable[[Evidence], None], promise: str) -> None:
    evidence = good()
    change(evidence)
    assert judge(evidence)[promise].kept


def test_the_numbers_of_a_run() -> None:
    numbers = count(good())
    assert (numbers.bookings, numbers.filled, numbers.decided, numbers.states["unfilled"]) == (2, 1, 2, 1)
    assert (numbers.time_to_fill_s.p50, numbers.waves, numbers.proposals, numbers.proposals_per_fill) == (240, 2, 3, 2)
    assert numbers.lateness_ms.p99 == 0


def test_metrics_are_read_with_their_labels() -> None:
    text = '# HELP x y\n# TYPE x counter\nx_total{market="paris"} 3.0\nup 1\n'
    assert samples(text) == {'x_total{market="paris"}': 3.0, "up": 1.0}

"""The verdict on a run: a good one passes, and each thing that must not be is found under its name."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from dispatch.client.bookings import Booking, Event, Window
from tests.faults.verdict import NAMES, End, judge
from tests.faults.watched import Watched

AT = datetime(2026, 11, 24, 9, tzinfo=UTC)
Ends = dict[str, End]


def end(state: str, *winners: str) -> End:
    """A booking that was won by these, one after the other, and ended so."""
    holder = winners[-1] if winners else None
    booking = Booking(
        booking_id="b", state=state, urgency="last_minute", services=("cut",), windows=(Window(start=AT, end=AT),), provider_id=holder
    )
    events = [Event(seq=n, at=AT, type="Accepted", fields={"provider_id": who}) for n, who in enumerate(winners, 1)]
    return End(booking, events)


def good() -> tuple[Watched, Ends]:
    """p-1 won b-1, which p-2 lost; b-2 is at the same time, so p-1 was too busy for it, and p-2 won it."""
    watched = Watched()
    for booking in ("b-1", "b-2"):
        watched.windows[booking] = (0, 300_000)
        say(watched, booking, "open", "", "opened")
    say(watched, "b-1", "accept", "p-1", "won")
    say(watched, "b-1", "accept", "p-2", "lost")
    say(watched, "b-2", "accept", "p-1", "overlap")
    say(watched, "b-2", "accept", "p-2", "won")
    return watched, {"b-1": end("accepted", "p-1"), "b-2": end("accepted", "p-2")}


def say(watched: Watched, booking: str, act: str, who: str, *answers: str, tap: str = "") -> None:
    """A question, and what was answered to it at once."""
    id_ = f"{booking}-{act}-{who}{tap}"
    watched.ask(booking, act, who, id_)
    for answer in answers:
        watched.tell(id_, answer)


def found(change: Callable[[Watched, Ends], Any]) -> set[str]:
    watched, ends = good()
    change(watched, ends)
    return {name for name, wrong in judge(watched, ends).wrong.items() if wrong}


def test_a_good_run_is_fine_and_everything_was_looked_at() -> None:
    findings = judge(*good())
    assert findings.lines() == []
    assert (findings.bookings, findings.claims, findings.told) == (2, 4, {"won": 2, "lost": 1, "overlap": 1})


@pytest.mark.parametrize(
    ("change", "names"),
    [
        (lambda w, _: say(w, "b-1", "accept", "p-3", "won"), {"double winners", "lost wins", "impossible histories"}),
        (lambda _, e: e.update({"b-1": end("accepted", "p-1", "p-9")}), {"double winners", "lost wins"}),
        (lambda _, e: e.update({"b-2": end("unfilled")}), {"lost wins"}),
        (lambda _, e: e.update({"b-2": End(None)}), {"lost wins"}),
        (lambda _, e: e.update({"b-2": end("searching")}), {"lost wins", "stuck bookings"}),
        (lambda w, _: say(w, "b-2", "accept", "p-2", "lost", tap="again"), {"wrong lost", "impossible histories"}),
        (lambda w, _: w.tell("b-1-accept-p-2", "won"), {"changed answers", "double winners", "lost wins"}),
        (lambda w, _: say(w, "b-2", "accept", "p-7", "overlap"), {"wrong overlaps"}),
        (lambda w, _: w.windows.update({"b-1": (10**9, 2 * 10**9)}), {"wrong overlaps"}),
        (lambda w, _: w.read("b-1", 10**9, "searching", None), {"impossible histories"}),
        (lambda w, _: w.deadlines.update({"b-1": -1.0}), {"impossible histories"}),
    ],
)
def test_each_fault_is_found_under_its_name(change: Callable[[Watched, Ends], Any], names: set[str]) -> None:
    assert found(change) == names
    assert names <= set(NAMES)


@pytest.mark.parametrize(
    "change",
    [
        lambda w, _: w.tell("b-1-accept-p-1", "won"),  # the same answer, repeated
        lambda w, _: say(w, "b-1", "accept", "p-4"),  # no answer: it may have come, or not
        lambda w, e: (say(w, "b-1", "cancel", "", "cancelled"), e.update({"b-1": end("cancelled", "p-1")})),
    ],
)
def test_what_only_looks_like_a_fault_is_none(change: Callable[[Watched, Ends], Any]) -> None:
    assert found(change) == set()

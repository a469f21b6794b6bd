"""The verdict on a run: a good one passes, and each thing that must not be is found under its name."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from dispatch.client.bookings import Booking, Event, Window
from tests.faults.reach import LEAST, Reach
from tests.faults.verdict import NAMES, SLACK_S, End, judge
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


def cancelled(watched: Watched, ends: Ends, booking: str) -> None:
    """The client cancels what p-1 had won."""
    say(watched, booking, "cancel", "", "cancelled")
    ends[booking] = end("cancelled", "p-1")


def later(watched: Watched, ends: Ends, booking: str) -> None:
    """Another booking at the same time, opened now, of which nobody wants to know."""
    watched.windows[booking] = (0, 300_000)
    say(watched, booking, "open", "", "opened")
    ends[booking] = end("unfilled")


def found(change: Callable[[Watched, Ends], Any]) -> set[str]:
    watched, ends = good()
    change(watched, ends)
    return {name for name, wrong in judge(watched, ends, Reach()).wrong.items() if wrong}


def test_a_good_run_is_fine_and_everything_was_looked_at() -> None:
    findings = judge(*good(), Reach())
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
        (lambda w, _: say(w, "b-2", "accept", "p-7", "overlap"), {"wrong overlaps", "impossible histories"}),
        (lambda w, _: w.windows.update({"b-1": (10**9, 2 * 10**9)}), {"wrong overlaps", "impossible histories"}),
        (lambda w, _: w.read("b-1", 10**9, "searching", None), {"impossible histories"}),
        (lambda w, _: w.deadlines.update({"b-1": -1.0}), {"impossible histories"}),
        (lambda w, _: say(w, "b-1", "open", "", "error duplicate", tap="again"), {"wrong answers"}),
        (lambda w, _: say(w, "b-1", "accept", "p-5", "error internal"), {"wrong answers"}),
        (lambda w, _: say(w, "b-1", "cancel", "", "error internal"), {"wrong answers"}),
        (lambda w, _: say(w, "b-1", "refuse", "p-5", "version_conflict"), {"wrong answers"}),
        (
            lambda w, e: (say(w, "b-1", "cancel", "", "error internal"), e.update({"b-1": end("unfilled")})),
            {"wrong answers", "lost wins", "wrong lost"},
        ),
        (
            lambda w, e: (cancelled(w, e, "b-1"), later(w, e, "b-3"), say(w, "b-3", "accept", "p-1", "overlap")),
            {"wrong overlaps", "impossible histories"},
        ),
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
        lambda w, e: cancelled(w, e, "b-1"),
        lambda w, e: (cancelled(w, e, "b-1"), say(w, "b-2", "accept", "p-1", "overlap", tap="again")),  # his win took it back for good
    ],
)
def test_what_only_looks_like_a_fault_is_none(change: Callable[[Watched, Ends], Any]) -> None:
    assert found(change) == set()


EVERYBODY = frozenset({"p-1", "p-2", "p-3"})


def unfilled(*asked: str) -> tuple[Watched, Ends]:
    """A good run, and b-3 at another time, which nobody took; these were asked."""
    watched, ends = good()
    watched.windows["b-3"] = (10**9, 2 * 10**9)
    say(watched, "b-3", "open", "", "opened")
    opened = next(iter(watched.of("b-3", "open"))).ended
    watched.deadlines["b-3"] = opened + 10
    wave = Event(seq=1, at=AT, type="WaveSent", fields={"asked": list(asked)})
    ends["b-3"] = End(end("unfilled").booking, [wave] if asked else [])
    return watched, ends


def seen(watched: Watched, *, looks: int = LEAST, away: frozenset[str] = frozenset()) -> Reach:
    """Everybody could be asked all the time, but for those who were away at one look."""
    opened = next(iter(watched.of("b-3", "open"))).ended
    there = [(opened + (9.0 - SLACK_S) * number / looks, EVERYBODY) for number in range(looks)]
    return Reach([*there[:3], (there[3][0], EVERYBODY - away), *there[4:]])


@pytest.mark.parametrize(
    ("asked", "away", "passed_over"),
    [
        ((), frozenset(), ["p-1", "p-2", "p-3"]),
        (("p-1", "p-2"), frozenset(), ["p-3"]),
        (("p-1", "p-2", "p-3"), frozenset(), []),
        (("p-1", "p-2"), frozenset({"p-3"}), []),
    ],
)
def test_who_fitted_all_the_time_must_have_been_asked_before_a_search_ends_unfilled(
    asked: tuple[str, ...], away: frozenset[str], passed_over: list[str]
) -> None:
    watched, ends = unfilled(*asked)
    findings = judge(watched, ends, seen(watched, away=away))
    assert [line.split()[1] for line in findings.wrong["never asked"]] == passed_over
    assert (findings.unfilled, findings.witnessed) == (1, 1)


def test_somebody_must_have_been_asked_when_there_was_always_one_though_not_always_the_same() -> None:
    for asked, number in ((), 1), (("p-1",), 0):
        watched, ends = unfilled(*asked)
        looks = seen(watched).looks
        reach = Reach([(at, frozenset({f"p-{1 + turn % 3}"})) for turn, (at, _) in enumerate(looks)])
        findings = judge(watched, ends, reach)
        assert (len(findings.wrong["never asked"]), findings.witnessed) == (number, 1)
        assert judge(watched, ends, Reach([*reach.looks[:-1], (looks[-1][0], frozenset())])).witnessed == 0


@pytest.mark.parametrize("answers", [["won"], []])
def test_who_has_or_may_have_another_visit_at_that_time_need_not_be_asked(answers: list[str]) -> None:
    watched, ends = unfilled("p-1", "p-2")
    watched.windows["b-2"] = watched.windows["b-3"]
    say(watched, "b-2", "accept", "p-3", *answers, tap="other")
    assert judge(watched, ends, seen(watched)).wrong["never asked"] == []


def test_too_few_looks_prove_nothing() -> None:
    watched, ends = unfilled()
    findings = judge(watched, ends, seen(watched, looks=LEAST - 1))
    assert (findings.wrong["never asked"], findings.unfilled, findings.witnessed) == ([], 1, 0)

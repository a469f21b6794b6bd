"""The judgement of a load test: a good run, and the faults that must turn it red."""

from argparse import Namespace
from collections.abc import Callable
from typing import Any

import pytest

from loadtests.ledger import Ledger
from loadtests.verdict import Finding, limits, promises, suffered

NOW_MS = 1_795_510_860_000  # 2026-11-24T09:01Z
SENT = "2026-11-24T10:00:00.000+01:00"
Bookings = dict[str, dict[str, Any]]


def good() -> tuple[Ledger, Bookings]:
    """b-1 was offered to p-1 and p-2 and won by p-1; b-2 was offered to p-2 and is open."""
    ledger = Ledger(
        opened=["b-1", "b-2"],
        won=[("b-1", "p-1", "r-1")],
        received=[("p-1", "1.1.1", 1), ("p-2", "1.1.2", 1), ("p-2", "2.1.2", 1)],
        online={"p-1": NOW_MS - 90_000, "p-2": NOW_MS - 90_000},
    )
    bookings: Bookings = {
        "b-1": {
            "state": "accepted",
            "provider_id": "p-1",
            "proposals": [sent("1.1.1", "p-1", "accepted"), sent("1.1.2", "p-2", "withdrawn")],
        },
        "b-2": {"state": "searching", "provider_id": None, "proposals": [sent("2.1.2", "p-2", "open")]},
    }
    return ledger, bookings


def sent(proposal: str, provider: str, state: str, at: str = SENT) -> dict[str, Any]:
    return {"proposal": proposal, "provider_id": provider, "state": state, "sent_at": at}


def judged(change: Callable[[Ledger, Bookings], Any] = lambda ledger, bookings: None) -> dict[str, Finding]:
    ledger, bookings = good()
    change(ledger, bookings)
    return {finding.name: finding for finding in promises(ledger, bookings, NOW_MS)}


def test_a_good_run_is_fine_and_everything_was_looked_at() -> None:
    assert {name: (f.fine, f.looked) for name, f in judged().items()} == {
        "exactly one `won` a booking": (True, 1),
        "accepted bookings: the winner was told": (True, 1),
        "no proposal lost": (True, 2),
        "no proposal delivered twice": (True, 3),
        "the same key gets the same answer": (True, 2),
    }


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (lambda ledger, _: ledger.won.append(("b-1", "p-2", "r-2")), "exactly one `won` a booking"),
        (lambda ledger, _: ledger.won.append(("b-1", "p-1", "r-2")), "exactly one `won` a booking"),
        (lambda _, bookings: bookings["b-1"].update(provider_id="p-2"), "exactly one `won` a booking"),
        (lambda ledger, _: ledger.won.append(("b-2", "p-2", "r-2")), "exactly one `won` a booking"),
        (lambda ledger, _: ledger.won.clear(), "accepted bookings: the winner was told"),
        (lambda ledger, _: ledger.received.remove(("p-2", "2.1.2", 1)), "no proposal lost"),
        (lambda ledger, _: ledger.received.remove(("p-1", "1.1.1", 1)), "no proposal lost"),
        (lambda ledger, _: ledger.received.append(("p-2", "2.1.2", 1)), "no proposal delivered twice"),
        (lambda ledger, _: ledger.bad_repeats.append("b-1"), "the same key gets the same answer"),
    ],
)
def test_each_fault_is_found_where_it_belongs(change: Callable[[Ledger, Bookings], Any], name: str) -> None:
    finding = judged(change)[name]
    assert finding.wrong
    assert "FAIL" in str(finding)


@pytest.mark.parametrize(
    "change",
    [
        lambda ledger, _: ledger.received.append(("p-2", "2.1.2", 2)),  # another version of the booking is another message
        lambda ledger, _: ledger.won.append(("b-1", "p-1", "r-1")),  # the same result, repeated
        lambda _, bookings: bookings["b-2"]["proposals"].append(sent("2.1.1", "p-1", "open", "2026-11-24T10:00:58.000+01:00")),  # just sent
        lambda _, bookings: bookings["b-2"]["proposals"].append(sent("2.1.9", "p-9", "open")),  # not one of our devices
    ],
)
def test_what_only_looks_like_a_fault_is_none(change: Callable[[Ledger, Bookings], Any]) -> None:
    assert all(finding.fine for finding in judged(change).values())


def test_nothing_looked_at_is_not_fine() -> None:
    assert not any(finding.fine for finding in promises(Ledger(), {}, NOW_MS))


def test_what_workers_take_adds_up_to_what_they_saw() -> None:
    worker, _ = good()
    master = Ledger()
    master.add(worker.take())
    worker.received.append(("p-1", "3.1.1", 1))
    master.add(worker.take())
    assert (master.opened, len(master.received), master.won) == (["b-1", "b-2"], 4, [("b-1", "p-1", "r-1")])
    assert master.online == worker.online


class Stats:
    """Locust's statistics, as far as they are asked."""

    def __init__(self, p99_ms: float, failed: int) -> None:
        self.row = Namespace(num_requests=100, get_response_time_percentile=lambda share: p99_ms)
        self.total = Namespace(num_requests=1_000, num_failures=failed, fail_ratio=failed / 1_000)

    def get(self, name: str, kind: str) -> Namespace:
        return self.row


@pytest.mark.parametrize(("p99_ms", "failed", "broken"), [(99, 10, 0), (101, 0, 5), (99, 11, 1)])
def test_limits_are_kept_or_broken(p99_ms: float, failed: int, broken: int) -> None:
    names = ("open", "push", "result", "withdrawn", "live")
    options = Namespace(**{f"limit_{name}_ms": 100.0 for name in names}, max_fail_ratio=0.01, scenario="steady")
    assert sum(not finding.fine for finding in limits(Stats(p99_ms, failed), options)) == broken


def test_a_storm_has_a_limit_of_its_own() -> None:
    names = ("open", "push", "result", "withdrawn", "live", "storm")
    options = Namespace(**{f"limit_{name}_ms": 100.0 for name in names}, max_fail_ratio=0.01, scenario="storm")
    found = {finding.name: finding.fine for finding in limits(Stats(101, 0), options)}
    assert found["storm->live: 99 % within 100 ms"] is False


@pytest.mark.parametrize(("scenario", "kind"), [("storm", "storm"), ("stalled", "hang"), ("flapping", "cut")])
def test_a_scenario_whose_trouble_never_came_is_not_fine(scenario: str, kind: str) -> None:
    options = Namespace(scenario=scenario)
    assert [finding.fine for finding in suffered(Ledger(), options)] == [False]
    assert [finding.fine for finding in suffered(Ledger(troubles={kind: 2}), options)] == [True]
    assert list(suffered(Ledger(), Namespace(scenario="steady"))) == []


def test_troubles_of_workers_add_up() -> None:
    master = Ledger(troubles={"cut": 1})
    master.add(Ledger(troubles={"cut": 2, "hang": 1}).take())
    assert master.troubles == {"cut": 3, "hang": 1}

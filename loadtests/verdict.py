"""The judgement at the end of a run: limits on the report's rows, and the promises that a load test can see from outside.

Every win that a device was told is looked at. Bookings are read back over HTTP, all of them up to ``SAMPLE``, else so many by chance; which
is said in the report.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Any

import requests
from gevent.pool import Pool

from loadtests.ledger import Ledger

SAMPLE = 3_000
READERS = 8
ARRIVAL_MS = 3_000  # a proposal sent longer ago than this must have arrived
ENDS_TOLD = 3  # examples in a finding
TROUBLES = {"storm": ("storm",), "stalled": ("hang",), "flapping": ("cut",)}  # what a scenario is made of


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was looked at ``looked`` times, and what was wrong."""

    name: str
    looked: int
    wrong: list[str]

    @property
    def fine(self) -> bool:
        """Looked at, and nothing wrong."""
        return self.looked > 0 and not self.wrong

    def __str__(self) -> str:
        mark = "ok  " if self.fine else "FAIL"
        what = f"{len(self.wrong)} wrong: " + "; ".join(self.wrong[:ENDS_TOLD]) if self.wrong else "" if self.looked else "never looked at"
        return f"{mark} {self.name:<58} {self.looked:>7}  {what}".rstrip()


def promises(ledger: Ledger, bookings: dict[str, dict[str, Any]], now_ms: int) -> list[Finding]:
    """One winner, nothing lost, nothing twice, the same answer to the same key. ``now_ms`` by the engine's clock."""
    return [
        _one_winner(ledger, bookings),
        Finding("accepted bookings: the winner was told", *_told(ledger, bookings)),
        Finding("no proposal lost", *_lost(ledger, bookings, now_ms)),
        Finding("no proposal delivered twice", len(ledger.received), [f"{proposal} to {who}" for who, proposal, _ in ledger.twice()]),
        Finding("the same key gets the same answer", len(ledger.opened), ledger.bad_repeats),
    ]


def _one_winner(ledger: Ledger, bookings: dict[str, dict[str, Any]]) -> Finding:
    winners, wrong = ledger.winners(), []
    for booking_id, won in winners.items():
        says = bookings.get(booking_id, {}).get("provider_id")
        names = {provider for provider, _ in won}
        if len(won) > 1:
            wrong.append(f"{booking_id} was won {len(won)} times, by {', '.join(sorted(names))}")
        elif booking_id in bookings and says not in names:
            wrong.append(f"{booking_id}: {names} was told, the engine says {says}")
    return Finding("exactly one `won` a booking", len(winners), wrong)


def _told(ledger: Ledger, bookings: dict[str, dict[str, Any]]) -> tuple[int, list[str]]:
    """Bookings that the engine calls accepted, and those of them of which no device of ours heard."""
    accepted = [name for name, booking in bookings.items() if booking["state"] == "accepted" and booking["provider_id"] in ledger.online]
    return len(accepted), [name for name in accepted if name not in ledger.winners()]


def _lost(ledger: Ledger, bookings: dict[str, dict[str, Any]], now_ms: int) -> tuple[int, list[str]]:
    """Proposals that are open and were sent to devices online long enough ago, and those of them that never arrived."""
    arrived = {(who, proposal) for who, proposal, _ in ledger.received}
    due = [
        (p["provider_id"], p["proposal"])
        for booking in bookings.values()
        for p in booking["proposals"]
        if p["state"] in ("open", "accepted", "refused") and p["provider_id"] in ledger.online and _ms(p["sent_at"]) < now_ms - ARRIVAL_MS
    ]
    return len(due), [f"{proposal} to {who}" for who, proposal in due if (who, proposal) not in arrived]


def limits(stats: Any, options: Any) -> Iterator[Finding]:
    """The rows of the report against their limits (99 % of samples, ms)."""
    for kind, name, limit_ms in (
        ("POST", "POST bookings", options.limit_open_ms),
        ("DEVICE", "push created->received", options.limit_push_ms),
        ("DEVICE", "accept->result", options.limit_result_ms),
        ("DEVICE", "accept->withdrawn", options.limit_withdrawn_ms),
        ("DEVICE", "reconnect->live", options.limit_live_ms),
        *([("DEVICE", "storm->live", options.limit_storm_ms)] if options.scenario == "storm" else []),
    ):
        row = stats.get(name, kind)
        p99 = row.get_response_time_percentile(0.99) or 0
        yield Finding(f"{name}: 99 % within {limit_ms:g} ms", row.num_requests, [f"p99 is {p99:g} ms"] if p99 > limit_ms else [])
    total = stats.total
    wrong = [f"{total.num_failures} of {total.num_requests}"] if total.fail_ratio > options.max_fail_ratio else []
    yield Finding(f"at most {options.max_fail_ratio:.1%} of calls fail", total.num_requests, wrong)


def suffered(ledger: Ledger, options: Any) -> Iterator[Finding]:
    """Whether the trouble of the scenario took place."""
    for kind in TROUBLES.get(options.scenario, ()):
        yield Finding(f"devices had the trouble `{kind}`", ledger.troubles.get(kind, 0), [])


def read_back(host: str, options: Any, ids: list[str]) -> dict[str, dict[str, Any]]:
    """Bookings as the engine has them now."""
    chosen = ids if len(ids) <= SAMPLE else Random(len(ids)).sample(ids, SAMPLE)
    session, root = requests.Session(), f"{host}/v1/markets/{options.market}/bookings/"
    session.headers["authorization"] = f"Bearer {options.key}"
    session.trust_env = False

    def read(booking_id: str) -> tuple[str, dict[str, Any]]:
        answer = session.get(root + booking_id, timeout=10)
        answer.raise_for_status()
        return booking_id, answer.json()

    return dict(Pool(READERS).imap_unordered(read, chosen))


def _ms(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp() * 1000

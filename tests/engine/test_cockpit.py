"""The picture of a market: how two differ, and how its parts look."""

from collections import deque
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.engine.cockpit import Cockpit, difference, letter, place, times

PLAIN = st.one_of(st.integers(), st.text(max_size=3), st.booleans(), st.lists(st.integers(), max_size=2))
PICTURES = st.dictionaries(st.text(max_size=2), st.recursive(PLAIN, lambda inner: st.dictionaries(st.text(max_size=2), inner, max_size=4)))


def merge(target: Any, patch: Any) -> Any:
    """RFC 7396, as it is written there."""
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        else:
            target[name] = merge(target.get(name), value)
    return target


@given(PICTURES, PICTURES)
def test_a_picture_and_its_difference_from_another_make_that_other_one(before: dict[str, Any], after: dict[str, Any]) -> None:
    patch = difference(before, after)
    assert merge(before, patch) == after
    assert merge(after, patch) == after  # it may be applied twice


@given(PICTURES)
def test_a_picture_does_not_differ_from_itself(picture: dict[str, Any]) -> None:
    assert difference(picture, dict(picture)) == {}


@pytest.mark.parametrize(
    ("state", "live", "received", "seen", "expected"),
    [
        ("open", True, False, False, "s"),
        ("open", True, True, False, "r"),
        ("open", True, True, True, "v"),
        ("open", False, True, True, "f"),
        ("open", False, False, False, "f"),
        ("accepted", False, True, True, "a"),
        ("refused", False, True, True, "x"),
        ("withdrawn", False, True, False, "w"),
        ("expired", False, False, False, "e"),
    ],
)
def test_a_proposal_is_a_letter(state: str, live: bool, received: bool, seen: bool, expected: str) -> None:
    assert letter(state, live=live, received=received, seen=seen) == expected


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ({"lat": "48856613", "lng": "2352222"}, [48.857, 2.352]),
        ({"lat": "-33868820", "lng": "-151209296"}, [-33.869, -151.209]),
        ({"booking_id": "b-1"}, None),
    ],
)
def test_a_place_is_told_to_about_a_hundred_metres(who: dict[str, str], expected: list[float] | None) -> None:
    assert place(who) == expected


@pytest.mark.parametrize(
    ("minutes", "bars", "p50", "p90"),
    [
        ([], [0, 0, 0, 0, 0, 0, 0], None, None),
        ([0.5], [1, 0, 0, 0, 0, 0, 0], 0.5, 0.5),
        ([1, 2, 5, 10, 20, 60], [0, 1, 1, 1, 1, 1, 1], 10, 60),
        ([3] * 9 + [90], [0, 0, 9, 0, 0, 0, 1], 3, 90),
    ],
)
def test_times_to_accept_are_sorted_into_bars(minutes: list[float], bars: list[int], p50: float | None, p90: float | None) -> None:
    found = times(deque(round(each * 60_000) for each in minutes))
    assert (found["count"], found["bars"]) == (len(minutes), bars)
    assert [found.get(name) for name in ("p50", "p90")] == [each and each * 60_000 for each in (p50, p90)]


def test_flow_counts_what_counters_gain_and_forgets_what_is_older_than_five_minutes() -> None:
    cockpit = Cockpit(speed=1)
    for now, opened, accepted in ((0, 10, 4), (1_000, 12, 4), (6_000, 12, 7), (400_000, 13, 7)):
        cockpit.count({"count.opened": opened, "count.accepted": accepted}, now)
    assert cockpit.flow() == {80: [1, 0, 0, 0]}  # what stood there at the first look is no flow, and 0 and 6 s are long ago


def test_flow_before_anybody_looked_is_what_events_tell() -> None:
    cockpit = Cockpit(speed=60)
    kinds = ("Opened", "WaveSent", "Accepted", "Opened", "Seen")
    events = [(f"{n}-0", {"type": kind, "at": 600_000 * n, "b": 1}) for n, kind in enumerate(kinds)]
    cockpit.remember_flow([*events, ("9-0", {"type": "WaveSent", "at": 0, "b": 1, "kind": "fill"})])
    assert cockpit.flow() == {0: [1, 0, 0, 0], 2: [0, 0, 0, 1], 4: [0, 1, 0, 0], 6: [1, 0, 0, 0]}


def test_a_booking_that_ended_stays_for_a_while_and_then_goes() -> None:
    cockpit = Cockpit(speed=10)
    cockpit.hear([("1-0", {"type": "Accepted", "at": 1_000_000, "b": 7, "p": 3, "cause": "wave", "window": 0, "wave": 1})])
    cockpit.faces = {7: {"state": "accepted"}, 8: {"state": "searching"}, 9: {"state": "searching"}}
    cockpit.keep([8], 1_149_000)
    assert set(cockpit.faces) == {7, 8}
    cockpit.keep([8], 1_151_000)
    assert set(cockpit.faces) == {8}


@pytest.mark.parametrize("again", ["Reopened", "Moved", "SearchedAgain"])
def test_a_booking_that_searches_again_has_not_ended(again: str) -> None:
    cockpit = Cockpit(speed=1)
    cockpit.hear([("1-0", {"type": "Accepted", "at": 1, "b": 7, "p": 3}), ("2-0", {"type": again, "at": 2, "b": 7, "p": 3})])
    assert cockpit.ended == {}

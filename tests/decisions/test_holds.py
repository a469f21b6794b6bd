"""Holds: the plan of a booking whose client chose a provider (R26-R28), as a function of its state and the time alone."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dispatch.model import ByHaste, DailyRange, MarketSettings
from dispatch.waves import OWED, Holder, Search, held_until, next_step, next_wave_at, plan

NOON = 1_804_849_200_000  # Friday 2027-03-12 12:00 in Paris
MINUTE, HOUR = 60_000, 3_600_000
LOUD = MarketSettings(quiet_hours=None)
QUIET = MarketSettings()
ZOE = 7


def search(lead: float = 30, *, opened: int = NOON, **changes: Any) -> Search:
    start = opened + round(lead * HOUR)
    right = Search(start=start, opened_at=opened, deadline=start - HOUR, wave=0, paced_at=opened, tried=False, chosen=ZOE, hold=OWED)
    return replace(right, **changes)


def asked(one: Search, now: int, settings: MarketSettings = LOUD, **changes: Any) -> Search:
    """The chosen one has his proposal since ``now``."""
    release = next_step(settings, one, now).release
    assert release is not None
    assert (release.kind, release.size, release.wave) == ("direct", 1, 0)
    holder = Holder(no=ZOE, live=True, replaced=False, sent_at=now, answer_by=release.answer_by, received_at=now + 1)
    return replace(one, hold=min(now + release.hold, one.deadline), holders=(replace(holder, **changes),))


@pytest.mark.parametrize(("lead", "hold"), [(5, 2 * MINUTE), (6, 30 * MINUTE), (30, 30 * MINUTE), (90, 30 * MINUTE)])
def test_the_hold_is_that_of_the_class_r26(lead: float, hold: int) -> None:
    held = asked(search(lead), NOON)
    assert held_until(LOUD, held) == next_wave_at(LOUD, held, NOON + 1) == NOON + hold
    assert next_step(LOUD, held, NOON + hold - 1).release is None
    release = next_step(LOUD, held, NOON + hold).release
    assert release is not None
    assert (release.kind, release.wave, release.due) == ("wave", 1, NOON + hold)


def test_the_class_is_that_of_the_moment_at_which_he_is_asked_r28_r12() -> None:
    """Opened an hour before it becomes last-minute, asked after quiet hours as a last-minute booking."""
    settings = MarketSettings(quiet_hours=DailyRange(from_="11:30", to="13:30"), preferred_hold_s=ByHaste(last_minute=60, other=3_600))
    one = search(7)
    due = next_step(settings, one, NOON).due
    assert NOON + HOUR <= due <= NOON + HOUR + 1, "quiet hours do not hold a last-minute booking"
    held = asked(one, due, settings)
    assert held_until(settings, held) == due + MINUTE


def test_his_no_ends_the_hold_r28() -> None:
    held = asked(search(), NOON, left_at=NOON + 5 * MINUTE, live=False)
    release = next_step(LOUD, replace(held, said_no=True), NOON + 5 * MINUTE).release
    assert release is not None
    assert (release.kind, release.due) == ("wave", NOON + 5 * MINUTE)


@pytest.mark.parametrize(("lead", "grace"), [(5, 20_000), (30, 120_000)])
def test_the_grace_ends_the_hold_when_nothing_reached_him_r28_r14(lead: float, grace: int) -> None:
    held = asked(search(lead), NOON, received_at=0)
    assert next_step(LOUD, held, NOON + grace - 1).release is None
    step = next_step(LOUD, held, NOON + grace)
    assert step.release is not None
    assert (step.release.kind, step.release.wave) == ("wave", 1)
    assert step.replace == (ZOE,)


def test_a_hold_does_not_outlast_the_search() -> None:
    late = search(30, deadline=NOON + 10 * MINUTE)
    assert asked(late, NOON).hold == NOON + 10 * MINUTE


def test_quiet_hours_come_before_the_proposal_and_its_hold_r28_r12() -> None:
    night = NOON + 11 * HOUR
    one = search(40, opened=night)
    step = next_step(QUIET, one, night)
    assert step.release is None
    assert night + 8 * HOUR <= step.due <= night + 8 * HOUR + 10 * MINUTE
    held = asked(one, step.due, QUIET)
    assert held.hold == step.due + 30 * MINUTE


def test_a_hold_that_ends_in_quiet_hours_ends_with_them_r28_r12() -> None:
    evening = NOON + 9 * HOUR + 50 * MINUTE
    held = asked(search(40, opened=evening), evening, QUIET)
    assert held.hold == evening + 30 * MINUTE
    assert next_wave_at(QUIET, held, evening + HOUR) >= NOON + 19 * HOUR


def test_the_plan_begins_when_the_hold_is_over_r19() -> None:
    assert [row.at for row in plan(LOUD, search(30), 3, NOON)] == [NOON + 30 * MINUTE, NOON + 60 * MINUTE, NOON + 90 * MINUTE]


@given(
    lead=st.floats(2, 100),
    at=st.integers(0, 24 * 60),
    quiet=st.booleans(),
    no_after=st.one_of(st.none(), st.integers(1, 90)),
    received=st.booleans(),
)
def test_whatever_happens_he_is_asked_once_and_no_wave_comes_before_he_is_through(
    lead: float, at: int, quiet: bool, no_after: int | None, received: bool
) -> None:
    """The plan is played to its first wave: it always wants to be looked at later than now, and it arrives."""
    settings, now = QUIET if quiet else LOUD, NOON + at * MINUTE
    one, kinds = search(lead, opened=now), []
    for _ in range(60):
        step = next_step(settings, one, now)
        assert step.close or step.due > now
        if step.release is not None:
            kinds.append(step.release.kind)
        if step.close or "wave" in kinds:
            break
        if kinds == ["direct"] and one.hold == OWED:
            one = asked(one, now, settings, received_at=now + 1 if received else 0)
        no_at = one.holders[0].sent_at + no_after * MINUTE if one.holders and no_after else None
        now = step.due
        if no_at is not None and now >= no_at and not one.holders[0].left_at:
            now = max(no_at, one.holders[0].sent_at)
            one = replace(one, said_no=True, holders=(replace(one.holders[0], left_at=now, live=False),))
    assert kinds in (["direct", "wave"], ["direct"], [])
    if kinds == ["direct", "wave"]:
        assert now >= min(one.hold, held_until(settings, one))

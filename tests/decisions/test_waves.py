"""Pacing: when how many are asked (R10-R14, R17, R19, P6), by tables, and by searches driven through simulated days."""

from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from dispatch.hours import in_range
from dispatch.model import ByHaste, CadenceRow, DailyRange, LongestSearch, MarketSettings, Urgency
from dispatch.waves import (
    SPREAD_MS,
    Holder,
    Release,
    Search,
    Step,
    allowed_from,
    answer_by,
    deadline_of,
    next_step,
    next_wave_at,
    plan,
    reopened_deadline,
    too_late,
    urgency_of,
)

SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000
PARIS = ZoneInfo("Europe/Paris")
DEFAULTS = MarketSettings()
LOUD = MarketSettings(quiet_hours=None)
NOON = 1_804_849_200_000  # Friday 2027-03-12 12:00 in Paris


def at(text: str) -> int:
    """A local moment of Paris in ms: "2027-03-12 22:00"; append "/1" for the second time a clock shows it."""
    clock, _, fold = text.partition("/")
    return round(datetime.fromisoformat(clock).replace(tzinfo=PARIS, fold=int(fold or 0)).timestamp() * 1_000)


def local(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1_000, PARIS).strftime("%m-%d %H:%M:%S")


def searching(*holders: Holder, start: int = NOON + 4 * HOUR, opened_at: int = NOON, **changes: object) -> Search:
    """A booking opened at noon whose first wave left at once."""
    search = Search(start=start, opened_at=opened_at, deadline=start - HOUR, wave=1, paced_at=opened_at, holders=holders)
    return replace(search, **changes)


def holder(no: int = 1, **changes: object) -> Holder:
    """Somebody asked at noon, live for ten minutes, with the proposal on his device."""
    return replace(Holder(no=no, live=True, replaced=False, sent_at=NOON, answer_by=NOON + 10 * MINUTE, received_at=NOON + 300), **changes)


def silent(no: int = 1, **changes: object) -> Holder:
    return holder(no, received_at=0, **changes)


def refused(no: int, when: int, **changes: object) -> Holder:
    return holder(no, live=False, left_at=when, **changes)


# -- R10, R12, R17: booking in time, classes, deadlines ---------------------------------------------------------------


@pytest.mark.proves("R10.a")
@pytest.mark.parametrize(
    ("cutoff_s", "lead_ms", "expected"),
    [
        (7_200, 2 * HOUR, False),  # exactly 2 h is allowed
        (7_200, 2 * HOUR - 1, True),
        (7_200, 2 * HOUR + 1, False),
        (7_200, 0, True),
        (0, 0, False),
        (0, -1, True),
        (3_600, HOUR, False),
    ],
)
def test_a_client_books_until_exactly_the_cut_off_r10(cutoff_s: int, lead_ms: int, expected: bool) -> None:
    assert too_late(MarketSettings(booking_cutoff_s=cutoff_s), NOON + lead_ms, NOON) is expected


@pytest.mark.proves("R12.a")
@pytest.mark.parametrize(
    ("lead_ms", "expected"),
    [
        (2 * HOUR, Urgency.LAST_MINUTE),
        (6 * HOUR - 1, Urgency.LAST_MINUTE),
        (6 * HOUR, Urgency.SAME_DAY),
        (24 * HOUR - 1, Urgency.SAME_DAY),
        (24 * HOUR, Urgency.ADVANCE),
        (72 * HOUR - 1, Urgency.ADVANCE),
        (72 * HOUR, Urgency.FAR),
        (900 * HOUR, Urgency.FAR),
        (-HOUR, Urgency.LAST_MINUTE),
    ],
)
def test_the_class_follows_the_lead_time_r12(lead_ms: int, expected: Urgency) -> None:
    assert urgency_of(DEFAULTS, NOON + lead_ms, NOON) is expected


def test_a_market_may_have_fewer_classes_r12() -> None:
    one = MarketSettings(cadence=(CadenceRow(class_=Urgency.ADVANCE, lead_under_s=None, size=4, pause_s=60),))
    assert {urgency_of(one, NOON + lead, NOON) for lead in (0, HOUR, 90 * DAY)} == {Urgency.ADVANCE}


@pytest.mark.proves("R17.a", "R17.d")
@pytest.mark.parametrize(
    ("lead_h", "expected_h"),
    [
        (2, 1),  # 60 min before the start
        (5.99, 4.99),
        (6, 5),
        (9, 8),  # same day: after 8 h at the latest
        (23.9, 8),
        (24, 23),
        (30, 24),  # advance: 24 h
        (71, 24),
        (72, 71),
        (200, 72),  # far: 72 h
    ],
)
def test_a_search_ends_before_the_start_and_after_the_longest_search_of_its_class_r17(lead_h: float, expected_h: float) -> None:
    start = NOON + round(lead_h * HOUR)
    assert deadline_of(DEFAULTS, start, NOON) == NOON + round(expected_h * HOUR)


@pytest.mark.parametrize(
    ("opened", "start", "begins", "longest_h"),
    [
        ("2027-03-12 23:00", "2027-03-13 19:00", "03-13 07:0", 8),  # or it would be over at 07:00, and nobody asked
        ("2027-03-12 23:00", "2027-03-15 10:00", "03-13 07:0", 24),
        ("2027-03-12 21:59", "2027-03-13 19:00", "03-12 21:59", 8),
        ("2027-03-12 23:00", "2027-03-13 13:00", "03-13 07:0", 5),  # an hour before the start
    ],
)
def test_the_longest_search_counts_from_when_it_may_begin_r17(opened: str, start: str, begins: str, longest_h: int) -> None:
    deadline = deadline_of(DEFAULTS, at(start), at(opened))
    assert local(deadline - longest_h * HOUR).startswith(begins)


@pytest.mark.parametrize(
    ("lead_min", "expected_min"),
    [
        (61, 1),  # in time for the usual deadline
        (60, 45),  # ops may override the cut-off: 15 min before the start
        (30, 15),
        (16, 1),
        (15, 15),  # and where that has passed too, the start itself
        (1, 1),
    ],
)
def test_a_search_that_begins_after_its_usual_deadline_has_a_last_resort_r10_r17(lead_min: int, expected_min: int) -> None:
    assert deadline_of(DEFAULTS, NOON + lead_min * MINUTE, NOON) == NOON + expected_min * MINUTE


@given(st.integers(1, 40 * DAY), st.integers(0, 6 * 3_600), st.integers(60, 5 * 86_400))
def test_a_search_ends_after_it_begins_and_not_after_the_start(lead: int, margin_s: int, longest_s: int) -> None:
    longest = LongestSearch(same_day=longest_s, advance=longest_s, far=longest_s)
    deadline = deadline_of(MarketSettings(search_deadline_s=margin_s, longest_search_s=longest), NOON + lead, NOON)
    assert NOON < deadline <= NOON + lead


@pytest.mark.proves("R17.b")
@pytest.mark.parametrize(("lead_min", "expected_min"), [(60, 45), (15, 0), (10, 0), (-5, 0)])
def test_after_a_providers_cancellation_the_search_ends_15_min_before_the_start_r35(lead_min: int, expected_min: int) -> None:
    assert reopened_deadline(DEFAULTS, NOON + lead_min * MINUTE, NOON) == NOON + expected_min * MINUTE


@pytest.mark.proves("R12b.a", "R12b.c")
@pytest.mark.parametrize(
    ("urgency", "live_ms"),
    [(Urgency.LAST_MINUTE, 10 * MINUTE), (Urgency.SAME_DAY, 30 * MINUTE), (Urgency.ADVANCE, 4 * HOUR), (Urgency.FAR, 12 * HOUR)],
)
def test_a_proposal_is_live_for_a_time_by_class_but_never_beyond_the_deadline_r12b(urgency: Urgency, live_ms: int) -> None:
    assert answer_by(DEFAULTS, urgency, NOON, NOON + DAY) == NOON + live_ms
    assert answer_by(DEFAULTS, urgency, NOON, NOON + live_ms - 1) == NOON + live_ms - 1


# -- R12: size and pause ----------------------------------------------------------------------------------------------


@pytest.mark.proves("R12.a")
@pytest.mark.parametrize(
    ("lead_h", "size", "pause_min"),
    [(4, 3, 3), (6, 2, 10), (23, 2, 10), (24, 1, 30), (71, 1, 30), (72, 1, 60), (300, 1, 60)],
)
def test_size_and_pause_follow_the_class_r12(lead_h: float, size: int, pause_min: int) -> None:
    start = NOON + round(lead_h * HOUR)
    first = next_step(LOUD, searching(start=start, deadline=start - HOUR, wave=0, tried=False), NOON)
    assert first.release == Release(kind="wave", wave=1, size=size, answer_by=answer_by(LOUD, first.urgency, NOON, start - HOUR), due=NOON)
    sent = searching(holder(answer_by=NOON + DAY), start=start, deadline=start - HOUR)
    assert next_wave_at(LOUD, sent, NOON) == NOON + pause_min * MINUTE


@pytest.mark.proves("R12.d")
def test_the_class_is_taken_afresh_at_every_wave_r12() -> None:
    """A far booking that stays unfilled speeds up."""
    start = NOON + 72 * HOUR
    far = next_step(LOUD, searching(start=start, deadline=start - HOUR, wave=0, tried=False), NOON)
    later = NOON + 2 * HOUR
    advance = next_step(LOUD, searching(start=start, deadline=start - HOUR, paced_at=NOON), later)
    hurried = next_step(LOUD, searching(start=start, deadline=start - HOUR, wave=9), start - 5 * HOUR)
    assert [step.urgency for step in (far, advance, hurried)] == [Urgency.FAR, Urgency.ADVANCE, Urgency.LAST_MINUTE]
    assert [step.release.size for step in (far, advance, hurried) if step.release] == [1, 1, 3]


@pytest.mark.proves("R12.d")
@pytest.mark.parametrize(("start_in", "changes_in"), [(7 * HOUR, HOUR + 1), (24 * HOUR, 1), (25 * HOUR, HOUR + 1), (73 * HOUR, HOUR + 1)])
def test_a_booking_is_looked_at_when_its_class_changes_r12(start_in: int, changes_in: int) -> None:
    patient = MarketSettings(
        quiet_hours=None,
        cadence=tuple(CadenceRow(class_=r.class_, lead_under_s=r.lead_under_s, size=1, pause_s=86_400) for r in DEFAULTS.cadence),
    )
    search = searching(start=NOON + start_in, deadline=NOON + start_in - HOUR)
    step = next_step(patient, search, NOON)
    assert step.due == NOON + changes_in
    assert next_step(patient, search, step.due).urgency is not step.urgency


def test_a_wave_is_due_after_the_pause_to_the_millisecond() -> None:
    search = searching(holder())
    before, after = next_step(LOUD, search, NOON + 3 * MINUTE - 1), next_step(LOUD, search, NOON + 3 * MINUTE)
    assert (before.release, before.due) == (None, NOON + 3 * MINUTE)
    assert after.release == Release(kind="wave", wave=2, size=3, answer_by=NOON + 13 * MINUTE, due=NOON + 3 * MINUTE)


@pytest.mark.proves("R12.b")
def test_earlier_holders_keep_their_seats_while_later_waves_go_out_r12b() -> None:
    step = next_step(LOUD, searching(holder(1), holder(2)), NOON + 3 * MINUTE)
    assert (step.fade, step.replace) == ((), ())


# -- R12b: live and stale ---------------------------------------------------------------------------------------------


@pytest.mark.proves("R12b.a")
@pytest.mark.parametrize(("after_ms", "fades"), [(10 * MINUTE - 1, ()), (10 * MINUTE, (1,)), (11 * MINUTE, (1,))])
def test_a_proposal_fades_at_the_end_of_its_live_time_r12b(after_ms: int, fades: tuple[int, ...]) -> None:
    search = searching(holder(1), holder(2, answer_by=NOON + HOUR), paced_at=NOON + 9 * MINUTE)
    assert next_step(LOUD, search, NOON + after_ms).fade == fades


def test_what_is_stale_or_has_ended_does_not_fade_again() -> None:
    search = searching(holder(1, live=False), refused(2, NOON + MINUTE), paced_at=NOON + 19 * MINUTE)
    assert next_step(LOUD, search, NOON + 20 * MINUTE).fade == ()


# -- R13: at once when all have said no -------------------------------------------------------------------------------


@pytest.mark.proves("R13.a")
@pytest.mark.parametrize(
    ("holders", "said_no", "owed_at"),
    [
        ((refused(1, NOON + MINUTE),), True, NOON + MINUTE),
        ((refused(1, NOON + MINUTE), refused(2, NOON + 2 * MINUTE)), True, NOON + 2 * MINUTE),
        ((refused(1, NOON + MINUTE), holder(2)), True, NOON + 3 * MINUTE),  # somebody is still thinking
        ((refused(1, NOON + MINUTE), silent(2)), True, NOON + MINUTE),  # his grace is over: he does not hold the wave
        ((refused(1, NOON + MINUTE), silent(2, sent_at=NOON + 110 * SECOND)), True, NOON + 3 * MINUTE),  # his is not
        ((refused(1, NOON + MINUTE), holder(2, replaced=True)), True, NOON + MINUTE),
        ((refused(1, NOON + MINUTE), holder(2, answer_by=NOON + 90 * SECOND)), True, NOON + 90 * SECOND),
        ((refused(1, NOON + MINUTE), holder(2, live=False, answer_by=NOON + 50 * SECOND)), True, NOON + MINUTE),
        ((refused(1, NOON - MINUTE),), False, NOON + 3 * MINUTE),  # his no brought this very wave, which found nobody
        ((holder(1, answer_by=NOON + MINUTE),), False, NOON + 3 * MINUTE),  # silence is no refusal
        ((), False, NOON + 3 * MINUTE),
    ],
)
def test_the_next_wave_goes_at_once_when_every_live_holder_has_said_no_r13(
    holders: tuple[Holder, ...], said_no: bool, owed_at: int
) -> None:
    now = NOON + 2 * MINUTE
    search = searching(*holders, said_no=said_no)
    assert next_wave_at(LOUD, search, now) == owed_at
    release = next_step(LOUD, search, now).release
    left = bool(release and release.kind == "wave")
    assert left == (owed_at <= now)
    assert not left or (release and release.due) == owed_at


@pytest.mark.proves("R12.e")
def test_the_pause_counts_from_a_wave_sent_early_r12_r13() -> None:
    search = searching(refused(1, NOON + MINUTE), holder(2, sent_at=NOON + MINUTE), wave=2, paced_at=NOON + MINUTE)
    assert next_wave_at(LOUD, search, NOON + 2 * MINUTE) == NOON + 4 * MINUTE


def test_a_no_that_comes_after_the_pause_does_not_make_the_wave_later_than_it_was_owed_r20() -> None:
    search = searching(refused(1, NOON + 5 * MINUTE), said_no=True)
    assert next_wave_at(LOUD, search, NOON + 6 * MINUTE) == NOON + 3 * MINUTE


# -- R14: the grace, and fills ----------------------------------------------------------------------------------------


@pytest.mark.proves("R14.b")
@pytest.mark.parametrize(("lead_h", "grace_ms"), [(4, 20 * SECOND), (8, 2 * MINUTE), (30, 2 * MINUTE), (90, 2 * MINUTE)])
def test_an_undelivered_proposal_holds_its_seat_for_the_grace_r14(lead_h: int, grace_ms: int) -> None:
    start = NOON + lead_h * HOUR
    search = searching(silent(1), holder(2), silent(3), start=start, deadline=start - HOUR)
    early, late = next_step(LOUD, search, NOON + grace_ms - 1), next_step(LOUD, search, NOON + grace_ms)
    assert (early.release, early.replace, early.due) == (None, (), NOON + grace_ms)
    assert late.replace == (1, 3)
    assert late.release is not None
    assert (late.release.kind, late.release.size, late.release.wave, late.release.due) == ("fill", 2, 1, NOON + grace_ms)


@pytest.mark.proves("R14.b")
def test_a_seat_is_filled_once_r14() -> None:
    search = searching(silent(1, replaced=True), silent(2, sent_at=NOON + 20 * SECOND))
    assert next_step(LOUD, search, NOON + 30 * SECOND).release is None
    again = next_step(LOUD, search, NOON + 40 * SECOND)  # who filled it is silent too
    assert (again.replace, again.release and again.release.size) == ((2,), 1)


def test_a_fill_does_not_move_the_next_wave_r14() -> None:
    search = searching(silent(1, replaced=True), holder(2, sent_at=NOON + 20 * SECOND))
    assert next_wave_at(LOUD, search, NOON + MINUTE) == NOON + 3 * MINUTE


def test_the_next_wave_ends_the_claim_to_the_seats_of_the_undelivered_r14() -> None:
    """They are not filled on top of it; those still within their grace keep their seats."""
    search = searching(silent(1), silent(2, sent_at=NOON + 170 * SECOND), holder(3))
    step = next_step(LOUD, search, NOON + 3 * MINUTE)
    assert (step.release and (step.release.kind, step.release.size), step.replace) == (("wave", 3), (1,))


@pytest.mark.proves("R14.b")
@given(st.integers(0, 600), st.booleans())
def test_the_grace_may_be_a_setting_r14(grace_s: int, last_minute: bool) -> None:
    chosen = MarketSettings(quiet_hours=None, delivery_grace_s=ByHaste(last_minute=grace_s, other=grace_s + 7))
    start = NOON + (4 if last_minute else 8) * HOUR
    grace = (grace_s if last_minute else grace_s + 7) * SECOND
    search = searching(silent(1), start=start, deadline=start - HOUR, paced_at=NOON + 12 * MINUTE)
    assert bool(next_step(chosen, search, NOON + grace).replace) == (grace < 10 * MINUTE)


# -- quiet hours ------------------------------------------------------------------------------------------------------


@pytest.mark.proves("R12.c")
@pytest.mark.parametrize(
    ("asked_at", "start", "window"),
    [
        ("2027-03-12 21:59:59", "2027-03-13 12:00", ("03-12 21:59:59", "03-12 21:59:59")),
        ("2027-03-12 22:00:00", "2027-03-13 14:00", ("03-13 07:00:00", "03-13 07:10:00")),
        ("2027-03-13 06:59:59", "2027-03-13 14:00", ("03-13 07:00:00", "03-13 07:10:00")),
        ("2027-03-13 07:00:00", "2027-03-13 14:00", ("03-13 07:00:00", "03-13 07:00:00")),
        ("2027-03-12 23:00:00", "2027-03-13 03:00", ("03-12 23:00:00", "03-12 23:00:00")),  # last minute: no quiet hours
        ("2027-03-12 23:00:00", "2027-03-13 06:00", ("03-13 00:00:00", "03-13 00:00:00")),  # until it becomes that
        ("2027-03-12 23:00:00", "2027-03-13 12:59", ("03-13 06:59:00", "03-13 06:59:00")),
        ("2027-03-27 23:00:00", "2027-03-28 20:00", ("03-28 07:00:00", "03-28 07:10:00")),  # clocks go forward that night
        ("2027-10-30 23:00:00", "2027-10-31 20:00", ("10-31 07:00:00", "10-31 07:10:00")),  # and back
        ("2027-10-31 02:30:00/1", "2027-10-31 20:00", ("10-31 07:00:00", "10-31 07:10:00")),
    ],
)
def test_quiet_hours_hold_a_wave_until_their_end_r12(asked_at: str, start: str, window: tuple[str, str]) -> None:
    search = searching(start=at(start), opened_at=at(asked_at))
    assert window[0] <= local(allowed_from(DEFAULTS, search, at(asked_at))) <= window[1]


def test_a_booking_that_becomes_last_minute_in_the_night_waits_no_longer_r12() -> None:
    start = at("2027-03-13 08:00")
    search = searching(start=start, opened_at=at("2027-03-12 23:00"), deadline=start - HOUR, wave=0, tried=False)
    step = next_step(DEFAULTS, search, search.opened_at)
    assert (step.release, step.due) == (None, start - 6 * HOUR + 1)
    woken = next_step(DEFAULTS, search, step.due)
    assert woken.release is not None
    assert (woken.urgency, woken.release.size, woken.release.due) == (Urgency.LAST_MINUTE, 3, step.due)


@pytest.mark.proves("R13.b")
def test_quiet_hours_win_over_a_refusal_and_a_fill_r13() -> None:
    night, start = at("2027-03-12 22:00"), at("2027-03-13 18:00")
    sent = night - 30 * SECOND
    both = {"start": start, "deadline": start - HOUR, "paced_at": sent}
    no = searching(refused(1, night + 1), said_no=True, **both)
    missing = searching(silent(1, sent_at=sent, answer_by=start - HOUR), holder(2, sent_at=sent, answer_by=start - HOUR), **both)
    for search in (no, missing):
        step = next_step(DEFAULTS, search, night + 3 * MINUTE)
        assert (step.release, step.replace) == (None, ())
        assert at("2027-03-13 07:00") < step.due < at("2027-03-13 07:10")
        assert next_step(DEFAULTS, search, step.due).release is not None


@pytest.mark.proves("R3.a")
def test_a_wave_that_was_owed_before_the_night_and_not_sent_waits_for_its_end_r3() -> None:
    """Quiet hours act on the moment of sending: a worker that comes back at night does not make up for the evening."""
    start = at("2027-03-13 18:00")
    search = searching(holder(answer_by=start - HOUR), start=start, deadline=start - HOUR, paced_at=at("2027-03-12 21:45"))
    night = at("2027-03-12 22:30")
    step = next_step(DEFAULTS, search, night)
    assert (step.release, next_wave_at(DEFAULTS, search, night)) == (None, step.due)
    assert at("2027-03-13 07:00") < step.due < at("2027-03-13 07:10")


@given(st.lists(st.tuples(st.integers(1, 40 * 96), st.integers(0, DAY)), min_size=2, max_size=30))
def test_the_end_of_quiet_hours_spreads_waves_over_ten_minutes_the_most_urgent_first_p6(bookings: list[tuple[int, int]]) -> None:
    end = at("2027-03-13 07:00")
    found = []
    for quarters, opened_before in bookings:
        search = searching(start=end + 6 * HOUR + quarters * 15 * MINUTE, opened_at=end - opened_before)
        found.append((search.start, allowed_from(DEFAULTS, search, end - HOUR)))
    assert all(end <= moment < end + SPREAD_MS for _, moment in found)
    assert [start for start, _ in sorted(found)] == [start for start, _ in sorted(found, key=lambda pair: (pair[1], pair[0]))]


def test_bookings_with_the_same_start_do_not_all_leave_in_the_same_instant_p6() -> None:
    end, start = at("2027-03-13 07:00"), at("2027-03-13 15:00")
    moments = {allowed_from(DEFAULTS, searching(start=start, opened_at=end - HOUR - n * 17 * SECOND), end - HOUR) for n in range(50)}
    assert len(moments) == 50


def test_without_quiet_hours_nothing_is_held() -> None:
    assert allowed_from(LOUD, searching(start=NOON + 30 * DAY), at("2027-03-13 03:00")) == at("2027-03-13 03:00")


@pytest.mark.proves("R12.c")
@given(st.integers(0, 400 * DAY), st.integers(0, 40 * DAY), st.integers(0, 23), st.integers(1, 22))
def test_a_moment_that_is_allowed_is_not_quiet_or_the_booking_is_last_minute_r12(ahead: int, lead: int, first: int, hours: int) -> None:
    quiet = DailyRange(from_=f"{first:02d}:00", to=f"{(first + hours) % 24:02d}:00")
    chosen, now = MarketSettings(quiet_hours=quiet), NOON + ahead
    moment = allowed_from(chosen, searching(start=now + lead, opened_at=now), now)
    assert moment >= now
    assert not in_range(quiet, "Europe/Paris", moment) or urgency_of(chosen, now + lead, moment) is Urgency.LAST_MINUTE


# -- R19: the plan ----------------------------------------------------------------------------------------------------


@pytest.mark.proves("R19.a")
def test_the_plan_tells_every_wave_if_nobody_answers_r19() -> None:
    search = searching(wave=0, tried=False)
    planned = plan(LOUD, search, 7, NOON)
    assert [(row.wave, row.size, (row.at - NOON) // MINUTE) for row in planned] == [(1, 3, 0), (2, 3, 3), (3, 1, 6)]


@pytest.mark.parametrize(
    ("candidates", "behind", "expected"),
    [
        (7, 0, [(1, 3), (2, 3), (3, 1)]),
        (7, 5, [(1, 2), (2, 3), (3, 2)]),  # the first wave has no more than the others
        (4, 4, [(2, 3), (3, 1)]),  # nobody else: it is skipped
        (4, 1, [(1, 3), (2, 1)]),
        (0, 0, []),
    ],
)
def test_the_plan_leaves_the_under_performing_out_of_the_first_wave_r7_r19(
    candidates: int, behind: int, expected: list[tuple[int, int]]
) -> None:
    planned = plan(LOUD, searching(wave=0, tried=False), candidates, NOON, behind=behind)
    assert [(row.wave, row.size) for row in planned] == expected
    assert not planned or planned[0].at == NOON


@pytest.mark.proves("R12.d", "R19.a")
def test_the_plan_speeds_up_and_ends_with_the_search_r19() -> None:
    start = NOON + 7 * HOUR
    planned = plan(LOUD, searching(start=start, deadline=NOON + 65 * MINUTE, wave=0, tried=False), 500, NOON)
    assert [(row.size, (row.at - NOON) // MINUTE) for row in planned] == [(2, 10 * n) for n in range(7)]
    hurried = plan(LOUD, searching(start=start, deadline=NOON + 80 * MINUTE, wave=0, tried=False), 500, NOON)
    assert [(row.size, (row.at - NOON) // MINUTE) for row in hurried[6:]] == [(2, 60), (3, 70), (3, 73), (3, 76), (3, 79)]


@pytest.mark.parametrize(("candidates", "rows"), [(0, 0), (1, 1), (3, 1), (4, 2), (60, 20), (10_000, 20)])
def test_the_plan_is_as_long_as_there_are_candidates_and_at_most_20_rows_r19(candidates: int, rows: int) -> None:
    assert len(plan(LOUD, searching(wave=0, tried=False), candidates, NOON)) == rows


def test_the_plan_goes_on_from_where_a_search_is_r19() -> None:
    (row,) = plan(LOUD, searching(holder(), wave=4), 2, NOON + MINUTE)
    assert (row.wave, row.size, row.at) == (5, 2, NOON + 3 * MINUTE)


# -- properties of any state ------------------------------------------------------------------------------------------

moments = st.integers(-30 * MINUTE, 14 * HOUR)


@st.composite
def holders(draw: st.DrawFn, no: int = 1) -> Holder:
    """Any holder that a search can have."""
    sent = NOON + draw(moments)
    left = draw(st.one_of(st.just(0), st.integers(sent, sent + 5 * HOUR)))
    return Holder(
        no=no,
        live=draw(st.booleans()) and not left,
        replaced=draw(st.booleans()),
        sent_at=sent,
        answer_by=sent + draw(st.integers(1, 5 * HOUR)),
        received_at=draw(st.one_of(st.just(0), st.integers(sent, sent + HOUR))),
        left_at=left,
    )


@st.composite
def searches(draw: st.DrawFn) -> Search:
    """Any search, well paced or not."""
    start = NOON + draw(st.integers(0, 5 * DAY))
    found = tuple(draw(holders(no)) for no in range(1, draw(st.integers(0, 6)) + 1))
    return Search(
        start=start,
        opened_at=NOON - HOUR,
        deadline=start - draw(st.integers(0, HOUR)),
        wave=draw(st.integers(0, 9)),
        paced_at=NOON + draw(moments),
        tried=draw(st.booleans()),
        said_no=draw(st.booleans()),
        holders=found,
    )


@given(searches(), st.integers(0, 6 * DAY), st.booleans())
def test_a_step_looks_ahead_or_closes_and_is_never_early(search: Search, after: int, quiet: bool) -> None:
    now, chosen = NOON + after, DEFAULTS if quiet else LOUD
    step = next_step(chosen, search, now)
    assert step.close == (now >= search.deadline)
    assert step.close or now < step.due <= search.deadline
    assert step.release is None or step.release.due <= now
    assert step.release is None or now < step.release.answer_by <= search.deadline
    assert set(step.replace).isdisjoint(step.fade)
    if step.release and quiet:
        assert not in_range(DEFAULTS.quiet_hours, "Europe/Paris", now) or step.urgency is Urgency.LAST_MINUTE


@pytest.mark.proves("R20.c")
@given(searches(), st.integers(0, 6 * DAY), st.data())
def test_a_refusal_never_delays_the_next_release_r20(search: Search, after: int, data: st.DataObject) -> None:
    now = NOON + after
    staying = [one for one in search.holders if not one.left_at and one.sent_at <= now]
    if not staying or now >= search.deadline:
        return
    chosen = data.draw(st.sampled_from(staying))
    gone = tuple(replace(one, live=False, left_at=now) if one is chosen else one for one in search.holders)
    told = replace(search, holders=gone, said_no=True)
    assert next_wave_at(LOUD, told, now) <= max(now, next_wave_at(LOUD, search, now))


# -- a whole search, driven by nothing but next_step ------------------------------------------------------------------


@dataclass(slots=True)
class Sent:
    wave: int
    kind: str
    at: int
    due: int
    size: int


@dataclass(slots=True)
class Simulation:
    """A booking and its providers. Each answers or not, after a delay, and his device confirms or not, as chance (seeded) has it."""

    settings: MarketSettings
    search: Search
    random: Random
    people: int
    answers: list[tuple[int, int, str]] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    asked: int = 0
    end: str = ""

    def run(self) -> None:
        """Goes from moment to moment: the next look, or the next thing that a provider does."""
        now, due = self.search.opened_at, self.search.opened_at
        for _ in range(20_000):
            coming = min((when for when, _, _ in self.answers), default=due)
            now = max(now, min(due, coming))
            due = self._happens(now, due) if self.answers and coming <= due else self._look(now)
            if self.end:
                return
        raise AssertionError("the search never ends")

    def _happens(self, now: int, due: int) -> int:
        self.answers.sort()
        _, no, what = self.answers.pop(0)
        (one,) = [h for h in self.search.holders if h.no == no]
        if what == "received":
            self._put(replace(one, received_at=now))
            return due
        if what == "accepts":
            self.end = "accepted"
            return due
        self._put(replace(one, live=False, left_at=now))
        self.search = replace(self.search, said_no=True)
        return now  # whoever holds the timer looks again

    def _look(self, now: int) -> int:
        step = next_step(self.settings, self.search, now)
        if step.close:
            self.end = "closed"
            return now
        assert step.due > now
        for one in self.search.holders:
            if one.no in step.fade:
                self._put(replace(one, live=False))
            elif one.no in step.replace:
                self._put(replace(one, replaced=True))
        if step.release:
            self._release(step, step.release, now)
        return step.due

    def _put(self, changed: Holder) -> None:
        self.search = replace(self.search, holders=tuple(changed if one.no == changed.no else one for one in self.search.holders))

    def _release(self, step: Step, release: Release, now: int) -> None:
        assert release.due <= now
        found = min(release.size, self.people - self.asked)
        if found:
            self.sent.append(Sent(release.wave, release.kind, now, release.due, found))
        new = tuple(self._ask(now, release) for _ in range(found))
        wave = release.wave if found else self.search.wave
        self.search = replace(self.search, holders=(*self.search.holders, *new), wave=wave)
        if release.kind == "wave":
            self.search = replace(self.search, paced_at=now, tried=True, said_no=False)

    def _ask(self, now: int, release: Release) -> Holder:
        self.asked += 1
        if self.random.random() < 0.8:
            self.answers.append((now + self.random.randrange(1, 40_000), self.asked, "received"))
            if self.random.random() < 0.5:
                what = "accepts" if self.random.random() < 0.05 else "refuses"
                self.answers.append((now + self.random.randrange(40_000, 3 * HOUR), self.asked, what))
        return Holder(no=self.asked, live=True, replaced=False, sent_at=now, answer_by=release.answer_by)


@settings(max_examples=150)
@given(st.integers(0, 10**9), st.integers(2 * HOUR, 6 * DAY), st.integers(0, 30), st.booleans(), st.integers(0, 2 * DAY))
def test_a_search_driven_by_its_steps_ends_and_sends_each_wave_once_and_never_early_p3_p6(
    seed: int, lead: int, people: int, quiet: bool, opened_after: int
) -> None:
    chosen, opened = DEFAULTS if quiet else LOUD, NOON + opened_after
    search = Search(
        start=opened + lead, opened_at=opened, deadline=deadline_of(chosen, opened + lead, opened), wave=0, paced_at=opened, tried=False
    )
    simulation = Simulation(chosen, search, Random(seed), people)
    simulation.run()
    waves = [one for one in simulation.sent if one.kind == "wave"]
    assert simulation.end in ("accepted", "closed")
    assert [one.wave for one in waves] == list(range(1, len(waves) + 1))
    assert all(one.at == one.due for one in simulation.sent), "simulated time loses none: nothing is early, nothing late"
    assert sum(one.size for one in simulation.sent) == simulation.asked <= people
    if quiet:
        asleep = [one.at for one in simulation.sent if in_range(DEFAULTS.quiet_hours, "Europe/Paris", one.at)]
        assert all(urgency_of(chosen, search.start, moment) is Urgency.LAST_MINUTE for moment in asleep)

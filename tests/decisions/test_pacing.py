"""The policy `paced`: chances spent at a steady rate, what gives them back, and searches driven through whole days (R12-R14, R19, R20)."""

from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dispatch import pacing
from dispatch.habits import OLDEST_MS, Part, accepting, chance
from dispatch.hours import in_range
from dispatch.model import ByClass, DailyRange, MarketSettings, Pacing, Urgency
from dispatch.pacing import AT_ONCE, EVERYBODY, LAST, MOST, Asked, Course, Loud
from dispatch.waves import Holder, Search, deadline_of, fill_chance, next_step, next_wave_at, plan

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
NOON = 1_804_849_200_000  # Friday 2027-03-12 12:00 in Paris
ACCEPTS = accepting(Urgency.LAST_MINUTE, {})
COURSE = Course(45.0 * MINUTE, 1.0, ACCEPTS)
PACED = MarketSettings(wave_policy="paced", quiet_hours=None, search_deadline_s=900)
NIGHTLY = replace(PACED, quiet_hours=DailyRange(from_="22:00", to="07:00"))


def asked(sent_min: float, keen: float = 1.0, left_min: float | None = None, worth: bool = True) -> Asked:
    return Asked(sent_min * MINUTE, keen, None if left_min is None else left_min * MINUTE, worth, ACCEPTS)


def due(*ones: Asked, now_min: float = 1.0) -> float:
    return pacing.due(COURSE, ones, now_min * MINUTE) / MINUTE


several = st.lists(
    st.builds(
        lambda sent, keen, after: asked(sent, keen, None if after is None else sent + after),
        st.floats(0, 20), st.floats(0.1, 5), st.none() | st.floats(0, 10),
    ),
    min_size=1, max_size=12,
)  # fmt: skip


# -- when the next is owed --------------------------------------------------------------------------------------------


def test_nobody_asked_owes_somebody_at_once() -> None:
    assert due() == 1.0


@pytest.mark.parametrize(("keen", "longer"), [(0.5, False), (2.0, True), (4.0, True)])
def test_a_likely_accepter_keeps_a_longer_head_start(keen: float, longer: bool) -> None:
    assert (due(asked(0, keen), asked(0)) > due(asked(0), asked(0))) is longer


@given(ones=several, now=st.floats(20, 40))
def test_the_moment_is_the_first_at_which_so_much_may_be_spent(ones: list[Asked], now: float) -> None:
    found = pacing.due(COURSE, ones, now * MINUTE)
    spent = pacing.mass(COURSE, ones)
    assert found >= now * MINUTE
    if now * MINUTE < found < LAST * COURSE.length:
        before = found - 4 * SECOND
        assert COURSE.may_spend(found + SECOND) >= spent * pacing.liked(ones, found + SECOND)
        assert before < now * MINUTE or COURSE.may_spend(before) < spent * pacing.liked(ones, before)


@given(ones=several, now=st.floats(20, 40), which=st.integers(0, 11))
def test_a_refusal_never_delays_the_next_r20(ones: list[Asked], now: float, which: int) -> None:
    one = ones[which % len(ones)]
    refused = [replace(one, left=now * MINUTE) if one is other and other.left is None else other for other in ones]
    assert pacing.due(COURSE, refused, now * MINUTE) <= pacing.due(COURSE, ones, now * MINUTE) + 3 * SECOND


@given(ones=several, now=st.floats(20, 40), keen=st.floats(0.1, 5))
def test_whoever_is_asked_more_only_delays_the_next(ones: list[Asked], now: float, keen: float) -> None:
    more = [*ones, asked(now, keen)]
    assert pacing.due(COURSE, more, now * MINUTE) >= pacing.due(COURSE, ones, now * MINUTE) - 3 * SECOND


@pytest.mark.parametrize("minutes", [20, 45, 480, 1_440])
@pytest.mark.parametrize("speed", [0.1, 1.0, 20.0])
def test_over_however_long_and_however_fast_few_are_asked_in_the_first_moment(minutes: int, speed: float) -> None:
    """A credit that lets several be asked in the first moment of a long search made it slower than an even cadence."""
    course = Course(minutes * MINUTE * 1.0, speed, ACCEPTS)
    assert course.may_spend(0) == AT_ONCE
    alone = chance(ACCEPTS.earned(course.length))
    assert pacing.size(course, [], 0.0) <= 1 + (AT_ONCE + speed * pacing.RATE * course.tick / course.length) / alone
    assert speed > 1 or pacing.size(course, [], 0.0) <= 2


@pytest.mark.parametrize("speed", [0.1, 1.0, 20.0])
def test_if_all_keep_silent_everybody_is_asked_before_the_end_of_the_time(speed: float) -> None:
    course, found, now = Course(45.0 * MINUTE, speed, ACCEPTS), list[Asked](), 0.0
    for _ in range(200):
        found += [Asked(now, 1.0, None, True, ACCEPTS)] * pacing.size(course, found, now)
        if len(found) >= EVERYBODY:
            break
        now = pacing.due(course, found, now + course.tick)
    assert len(found) >= EVERYBODY
    assert now <= LAST * course.length + course.tick


def test_silence_is_evidence_that_the_booking_is_not_liked() -> None:
    assert pacing.liked([asked(0)] * 4, 10 * MINUTE) < pacing.liked([asked(0)] * 4, 2 * MINUTE) < 1
    assert pacing.liked([asked(0, keen=3)] * 4, 10 * MINUTE) < pacing.liked([asked(0)] * 4, 10 * MINUTE)


def test_who_cannot_be_reached_spends_nothing_and_proves_nothing_r14() -> None:
    gone = [asked(0, worth=False)] * 5
    assert (pacing.mass(COURSE, gone), pacing.liked(gone, 10 * MINUTE)) == (0, 1)


@pytest.mark.parametrize(("now_min", "low", "high"), [(0, 1, 3), (20, MOST, MOST), (45 * LAST, EVERYBODY, EVERYBODY)])
def test_how_many_are_owed_together(now_min: float, low: int, high: int) -> None:
    assert low <= pacing.size(COURSE, [], now_min * MINUTE) <= high


def test_what_may_be_spent_at_once_does_not_grow_with_the_speed() -> None:
    assert replace(COURSE, speed=10.0).may_spend(0) == COURSE.may_spend(0) == AT_ONCE
    assert COURSE.earliest(COURSE.may_spend(7 * MINUTE)) == pytest.approx(7 * MINUTE)


# -- its clock --------------------------------------------------------------------------------------------------------


@given(
    began=st.integers(0, 10**6),
    spans=st.lists(st.tuples(st.integers(1, 5_000), st.integers(1, 5_000)), max_size=4),
    ms=st.integers(0, 50_000),
)
def test_the_clock_stands_still_in_quiet_hours_and_comes_back_to_where_it_was(began: int, spans: list[tuple[int, int]], ms: int) -> None:
    quiet, at = [], began
    for gap, length in spans:
        quiet.append((at + gap, at + gap + length))
        at += gap + length
    clock = Loud(began, quiet)
    moment = clock.moment(ms)
    assert clock.since(moment) == ms
    assert all(clock.since(begin) == clock.since(end) for begin, end in quiet)
    assert moment - began == ms + sum(min(moment, end) - begin for begin, end in quiet if begin < moment)


# -- searches ---------------------------------------------------------------------------------------------------------


def searching(*holders: Holder, settings: MarketSettings = PACED, lead_min: float = 60, opened_at: int = NOON, **changes: object) -> Search:
    start = opened_at + round(lead_min * MINUTE)
    search = Search(
        start=start, opened_at=opened_at, deadline=deadline_of(settings, start, opened_at), wave=1, paced_at=opened_at, holders=holders
    )
    return replace(search, **changes)


def holder(no: int, sent_min: float = 0, **changes: object) -> Holder:
    sent = NOON + round(sent_min * MINUTE)
    return replace(Holder(no=no, live=True, replaced=False, sent_at=sent, answer_by=sent + 10 * MINUTE, received_at=sent + 300), **changes)


def test_the_first_are_asked_at_once() -> None:
    step = next_step(PACED, searching(wave=0, tried=False), NOON)
    assert step.release is not None
    assert (step.release.wave, step.release.due) == (1, NOON)
    assert 1 <= step.release.size <= 3


def test_after_a_release_it_is_looked_at_again_when_it_is_known_who_was_asked() -> None:
    assert next_step(PACED, searching(wave=0, tried=False), NOON).due == NOON + 20 * SECOND  # the grace; the tick is 30 s


def test_a_refusal_owes_the_next_at_once_also_while_others_are_silent() -> None:
    """By cadence it would be three minutes; so it is for whoever has just been asked by pace and keeps silent."""
    holders = [holder(no) for no in range(3)]
    silent = searching(*holders)
    refused = searching(replace(holders[0], live=False, left_at=NOON + 5 * SECOND), *holders[1:], said_no=True)
    assert next_wave_at(PACED, refused, NOON + 5 * SECOND) < next_wave_at(PACED, silent, NOON + 5 * SECOND)


def test_when_every_live_holder_has_said_no_the_next_leaves_at_once_r13() -> None:
    keen = [replace(holder(no, keen=5.0), live=False, left_at=NOON + 2 * MINUTE) for no in range(6)]
    assert next_wave_at(PACED, searching(*keen, said_no=True), NOON + 2 * MINUTE) <= NOON + 2 * MINUTE


def test_the_undelivered_give_their_seats_away_r14() -> None:
    step = next_step(PACED, searching(holder(1, received_at=0), holder(2, keen=5.0), holder(3, keen=5.0)), NOON + 20 * SECOND)
    assert step.release is not None
    assert (step.release.kind, step.release.size, step.replace) == ("fill", 1, (1,))


def test_where_nobody_is_found_the_search_rests_and_is_not_asked_all_the_time() -> None:
    empty = searching(paced_at=NOON + 10 * MINUTE)
    assert next_wave_at(PACED, empty, NOON + 10 * MINUTE) >= NOON + 11 * MINUTE


def test_quiet_hours_hold_a_wave_back_and_take_nothing_from_its_time() -> None:
    evening = NOON + 9 * HOUR + 50 * MINUTE
    settings = replace(NIGHTLY, search_deadline_s=3_600)
    search = searching(settings=settings, lead_min=50 * 60, opened_at=evening, began_at=evening)
    held = replace(search, holders=tuple(holder(no, 590) for no in range(3)))
    night = NOON + 12 * HOUR
    assert next_step(settings, held, night).release is None
    assert NOON + 19 * HOUR <= next_wave_at(settings, held, night) < NOON + 26 * HOUR
    assert settings.quiet_hours is not None
    assert not in_range(settings.quiet_hours, settings.time_zone, next_wave_at(settings, held, night))


def test_a_search_that_opens_again_begins_its_pace_anew_r35() -> None:
    before = tuple(replace(holder(no), live=False, left_at=NOON + MINUTE) for no in range(4))
    again = searching(*before, lead_min=90, tried=False, paced_at=NOON + 40 * MINUTE, wave=2)
    step = next_step(PACED, again, NOON + 40 * MINUTE)
    assert step.release is not None
    assert step.release.size <= 3, "not everybody, as if forty minutes of its time were gone"


@pytest.mark.parametrize("hours", [None, DailyRange(from_="22:00", to="07:00")])
@pytest.mark.parametrize("lead_h", [1.5, 4, 10, 30, 100])
def test_the_plan_is_what_happens_when_nobody_answers_r19(hours: DailyRange | None, lead_h: float) -> None:
    settings = replace(PACED, quiet_hours=hours)
    run = Driven(settings, NOON, lead_h, candidates=30, seed=0, answers=False)
    first = run.search()
    told = plan(settings, first, 30, NOON)
    run.run()
    if not run.waves:
        assert told == () or told[0].at >= first.deadline
        return
    assert sum(wave.size for wave in told) <= 30
    for (at, size), wave in list(zip(run.waves, told, strict=False))[:4]:
        assert abs(at - wave.at) <= max(2 * MINUTE, 0.1 * (wave.at - NOON))
        assert abs(size - wave.size) <= 2


@dataclass
class Driven:
    """A search whose holders answer by chance, driven from due time to due time as rounds would."""

    settings: MarketSettings
    opened_at: int
    lead_h: float
    candidates: int
    seed: int
    answers: bool = True
    holders: dict[int, Holder] = field(default_factory=dict)
    waves: list[tuple[int, int]] = field(default_factory=list)
    paced_at: int = 0
    began_at: int = 0
    tried: bool = False
    said_no: bool = False
    looks: int = 0

    def search(self) -> Search:
        start = self.opened_at + round(self.lead_h * HOUR)
        return Search(
            start=start, opened_at=self.opened_at, deadline=deadline_of(self.settings, start, self.opened_at), wave=len(self.waves),
            paced_at=self.paced_at or self.opened_at, tried=self.tried, said_no=self.said_no, began_at=self.began_at,
            holders=tuple(self.holders.values()),
        )  # fmt: skip

    def run(self) -> "Driven":
        now, chance = self.opened_at, Random(self.seed)
        while True:
            step = next_step(self.settings, self.search(), now)
            if step.close:
                return self
            self.looks += 1
            for no in step.fade:
                self.holders[no] = replace(self.holders[no], live=False)
            if step.release is not None:
                self._send(now, step.release.size, step.release.answer_by)
            no_at, no = self._refusal(now, chance)
            now = min(step.due, no_at)
            if no_at == now and self.answers and no is not None:
                self.holders[no] = replace(self.holders[no], live=False, left_at=now)
                self.said_no = True

    def _send(self, now: int, size: int, answer_by: int) -> None:
        size = min(size, self.candidates - len(self.holders))
        for no in range(len(self.holders) + 1, len(self.holders) + 1 + size):
            self.holders[no] = Holder(no=no, live=True, replaced=False, sent_at=now, answer_by=answer_by, received_at=now)
        self.began_at = self.began_at if self.tried else now
        self.paced_at, self.tried, self.said_no = now, True, False
        if size:
            self.waves.append((now, size))

    def _refusal(self, now: int, chance: Random) -> tuple[int, int | None]:
        """Somebody says no at some time, or nobody does."""
        open_ = [one.no for one in self.holders.values() if not one.left_at]
        return (now + chance.randrange(SECOND, 20 * MINUTE), chance.choice(open_)) if self.answers and open_ else (2**53, None)


@pytest.mark.parametrize("seed", range(12))
def test_a_search_asks_everybody_in_the_end_never_in_the_night_and_looks_a_bounded_number_of_times(seed: int) -> None:
    chance = Random(seed)
    lead_h, people = chance.choice([1.5, 3, 9, 30, 100]), chance.choice([0, 3, 12, 40])
    run = Driven(NIGHTLY, NOON + chance.randrange(10) * HOUR, lead_h, people, seed).run()
    assert len(run.holders) == people
    assert NIGHTLY.quiet_hours is not None
    late = run.search().start - 6 * HOUR
    assert not [at for at, _ in run.waves if at < late and in_range(NIGHTLY.quiet_hours, NIGHTLY.time_zone, at)]
    assert run.looks < 400 + 12 * people


def test_a_market_chooses_over_how_long_and_how_fast() -> None:
    holders = tuple(holder(no) for no in range(3))
    usual = next_wave_at(PACED, searching(*holders, lead_min=300), NOON)
    slow = replace(PACED, pacing=Pacing(over_s=ByClass(last_minute=9_000, same_day=1, advance=1, far=1)))
    fast = replace(PACED, pacing=Pacing(speed=5))
    assert next_wave_at(fast, searching(*holders, lead_min=300), NOON) < usual < next_wave_at(slow, searching(*holders, lead_min=300), NOON)


# -- the chance of a fill ---------------------------------------------------------------------------------------------


def test_the_chance_of_a_fill_is_that_of_all_who_were_asked_together() -> None:
    one, two = searching(holder(1)), searching(holder(1), holder(2, keen=2.0))
    alone = chance(ACCEPTS.earned(45 * MINUTE))
    assert fill_chance(PACED, searching(), NOON) == 0
    assert fill_chance(PACED, one, NOON) == pytest.approx(alone)
    assert fill_chance(PACED, two, NOON) == pytest.approx(1 - (1 - alone) * (1 - chance(ACCEPTS.earned(45 * MINUTE), 2.0)))


def test_it_falls_while_they_are_silent_and_holds_in_a_market_that_goes_by_cadence_too() -> None:
    search = searching(holder(1), holder(2))
    falling = [fill_chance(PACED, search, NOON + minutes * MINUTE) for minutes in (0, 5, 20, 44)]
    assert falling == sorted(falling, reverse=True)
    assert falling[-1] < 0.01
    assert fill_chance(replace(PACED, wave_policy="cadence"), search, NOON) == falling[0]


def test_who_has_left_or_cannot_be_reached_gives_no_chance() -> None:
    gone = searching(holder(1, live=False, left_at=NOON + SECOND), holder(2, replaced=True, received_at=0))
    assert fill_chance(PACED, gone, NOON + MINUTE) == 0


def test_a_market_that_answers_more_readily_has_a_better_chance() -> None:
    eager = {Urgency.LAST_MINUTE: [Part(OLDEST_MS, 40.0)] * 10}
    assert fill_chance(PACED, searching(holder(1)), NOON, eager) > fill_chance(PACED, searching(holder(1)), NOON)

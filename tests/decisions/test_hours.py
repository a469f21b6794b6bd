"""Hours, absences and extra openings as spans of UTC (R2), and the daily ranges of quiet hours (R3)."""

from collections.abc import Iterable
from contextlib import suppress
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dispatch.errors import Unprocessable
from dispatch.hours import (
    DAY,
    MINUTE,
    QUARTER,
    Spans,
    check_time_zone,
    end_of_range,
    in_range,
    local_minute,
    parse,
    parse_extra,
    quarters,
    spans,
)
from dispatch.model import Absence, DailyRange, ExtraOpening

PARIS = "Europe/Paris"
DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
# Forward and back in 2026, and places where the clock does something of its own.
NIGHTS = [
    (PARIS, date(2026, 3, 29)),
    (PARIS, date(2026, 10, 25)),
    ("America/New_York", date(2026, 3, 8)),
    ("America/New_York", date(2026, 11, 1)),
    ("Australia/Lord_Howe", date(2026, 4, 5)),  # half an hour back
    ("Australia/Lord_Howe", date(2026, 10, 4)),
    ("America/Havana", date(2026, 3, 8)),  # midnight is skipped
    ("America/Havana", date(2026, 11, 1)),  # the hour after midnight comes twice
    ("America/Santiago", date(2026, 4, 4)),  # the hour before midnight comes twice
    ("Asia/Kathmandu", date(2026, 12, 31)),  # a quarter to the hour, no change
]


def ms(text: str, zone: str = PARIS, fold: int = 0) -> int:
    """A local time as UTC ms; ``fold`` 1 for the second of two."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()) * 1_000


def local(found: Spans, zone: str = PARIS) -> list[str]:
    return [f"{at(start, zone):%a %d %H:%M}-{at(end, zone):%H:%M}" for start, end in found]


def at(moment: int, zone: str = PARIS) -> datetime:
    return datetime.fromtimestamp(moment / 1_000, ZoneInfo(zone))


def worked(
    hours: str, first: str, last: str, absences: Iterable[Absence] = (), extras: Iterable[ExtraOpening] = (), zone: str = PARIS
) -> list[str]:
    return local(spans(hours, tuple(absences), tuple(extras), zone, ms(first, zone), ms(last, zone)), zone)


def off(first: str, last: str) -> Absence:
    return Absence(from_=date.fromisoformat(first), to=date.fromisoformat(last))


def extra(first: str, last: str, hours: str) -> ExtraOpening:
    return ExtraOpening(from_=date.fromisoformat(first), to=date.fromisoformat(last), hours=hours)


def daily(start: str, end: str) -> DailyRange:
    return DailyRange(from_=start, to=end)


# -- the grammar -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "hours",
    [
        "24/7",
        "off",
        "Mo-Fr 09:00-12:00,14:00-19:00; Sa 10:00-02:00",
        "Mo-Fr 9:00-18:00",
        "Mo-Fr 09:00-18:00 ; Dec 24-26 off",
        'Mo-Fr 09:00-18:00 "on the phone first"; Sa 10:00-12:00',
        "week 1-53/2 Mo 10:00-12:00",
        "2026 Mar 28 10:00-12:00",
        "Mo[1] 10:00-12:00",
        "10:00+",
        "18:00-26:00",
    ],
)
def test_hours_that_can_be_read_are_taken(hours: str) -> None:
    parse(hours)


@pytest.mark.parametrize(
    ("hours", "word"),
    [
        ("", "says nothing"),
        ("   ", "says nothing"),
        ('"by appointment"', "says nothing"),
        ("banana", 'from "banana" on'),
        ("Lu-Ve 09:00-18:00", 'from "Lu-Ve'),
        ("Mo-Fr 9-18", 'from "9-18" on'),
        ("Mo-Fr 09:00-18:00;", "breaks off"),
        ("10:00", "breaks off"),
        ("Mo-Fr 25:00-26:00", 'from "25:00'),
        ("Mo-Fr 12:60-13:00", 'from "60'),
        ("Mo-Fr 09:00-18:00; PH off", "holidays"),
        ("SH 10:00-12:00", "holidays"),
        ("sunrise-12:00", "sun"),
        ("Mo 10:00-12:00 unknown", "unknown"),
        ("Mo 10:00-12:00 || 14:00-15:00", "fallback"),
        ("10:00-16:00/01:30", "step"),
    ],
)
def test_hours_that_cannot_be_read_are_refused_with_an_example(hours: str, word: str) -> None:
    with pytest.raises(Unprocessable) as caught:
        parse(hours)
    assert caught.value.code == "bad_hours"
    assert word in caught.value.detail
    assert "Mo-Fr 09:00-12:00" in caught.value.detail


@settings(deadline=None)
@given(st.text(alphabet='MoTuFrSaPH0123456789:-,;+/ []"|offJanweek\n', max_size=40))
def test_any_text_is_either_taken_or_refused(hours: str) -> None:
    with suppress(Unprocessable):
        parse(hours)
        spans(hours, (), (), PARIS, ms("2026-03-23"), ms("2026-04-02"))


@pytest.mark.parametrize("hours", ["off", "24/7", "Mo 10:00-12:00", "10-12", "25:00-26:00", "", "10:00-12:00;13:00-14:00"])
def test_an_extra_opening_takes_times_alone(hours: str) -> None:
    with pytest.raises(Unprocessable, match="10:00-16:00,18:00-02:00") as caught:
        parse_extra(hours)
    assert caught.value.code == "bad_hours"
    parse_extra("10:00-16:00, 18:00-02:00")


# -- ordinary weeks --------------------------------------------------------------------------------------------------


@pytest.mark.proves("R2.e")
@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        ("24/7", ["Fri 16 00:00-00:00"]),
        ("off", []),
        ("closed", []),
        ("Mo-Fr 09:00-12:00,14:00-19:00", ["Fri 16 09:00-12:00", "Fri 16 14:00-19:00", "Mon 19 09:00-12:00", "Mon 19 14:00-19:00"]),
        ("Fr 18:00-02:00", ["Fri 16 18:00-02:00"]),
        ("Fr 18:00-26:00", ["Fri 16 18:00-02:00"]),
        ("Fr 18:00-48:00", ["Fri 16 18:00-00:00"]),
        ("Th 18:00-02:00", ["Fri 16 00:00-02:00"]),
        ("Fr 20:00+", ["Fri 16 20:00-00:00"]),
        ("Sa-Su", ["Sat 17 00:00-00:00"]),
        ("Sa 23:59-24:01", ["Sat 17 23:59-00:01"]),
        ("Mo-Su 10:00-12:00; Sa 14:00-15:00", ["Fri 16 10:00-12:00", "Sat 17 14:00-15:00", "Sun 18 10:00-12:00", "Mon 19 10:00-12:00"]),
        ("Mo-Su 10:00-12:00; Jan 17-18 off", ["Fri 16 10:00-12:00", "Mon 19 10:00-12:00"]),
        ("Sa 10:00-12:00, Sa 11:00-14:00", ["Sat 17 10:00-14:00"]),
        ("Sa 10:00-12:00,12:00-14:00", ["Sat 17 10:00-14:00"]),
        ("2026 Jan 17 10:00-12:00", ["Sat 17 10:00-12:00"]),
        ("24/7; Sa 12:00-14:00 off", ["Fri 16 00:00-12:00", "Sat 17 14:00-00:00"]),
    ],
)
def test_hours_become_spans(hours: str, expected: list[str]) -> None:
    assert worked(hours, "2026-01-16", "2026-01-20") == expected


@pytest.mark.proves("R2.e")
@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        # The library keeps Sunday's 00:00-02:00 of a Saturday that is off, and cuts Friday's shift at midnight.
        ("Mo-Su 18:00-02:00; Sa off", ["Fri 16 00:00-02:00", "Fri 16 18:00-02:00", "Sun 18 18:00-02:00", "Mon 19 18:00-00:00"]),
        (
            "Mo-Su 18:00-02:00; Sa 10:00-12:00",
            ["Fri 16 00:00-02:00", "Fri 16 18:00-02:00", "Sat 17 10:00-12:00", "Sun 18 18:00-02:00", "Mon 19 18:00-00:00"],
        ),
    ],
)
def test_a_shift_belongs_to_the_day_on_which_it_begins(hours: str, expected: list[str]) -> None:
    assert worked(hours, "2026-01-16", "2026-01-20") == expected


def test_the_last_night_of_a_year_runs_into_the_next() -> None:
    assert worked("Dec 31 20:00-04:00", "2026-12-30", "2027-01-03") == ["Thu 31 20:00-04:00"]
    assert worked("2026 20:00-04:00", "2026-12-31", "2027-01-03") == ["Thu 31 00:00-04:00", "Thu 31 20:00-04:00"]
    assert worked("24/7", "2026-12-31T23:00", "2027-01-01T01:00") == ["Thu 31 23:00-01:00"]


def test_spans_are_cut_to_the_range_asked_to_the_ms() -> None:
    start, end = ms("2026-01-16T10:00") + 1, ms("2026-01-16T11:00") - 1
    assert spans("Fr 09:00-12:00", (), (), PARIS, start, end) == ((start, end),)
    assert spans("Fr 09:00-12:00", (), (), PARIS, ms("2026-01-16T12:00"), ms("2026-01-16T13:00")) == ()
    assert spans("Fr 09:00-12:00", (), (), PARIS, start, start) == ()
    assert spans("Fr 09:00-12:00", (), (), PARIS, end, start) == ()


# -- absences and extra openings -------------------------------------------------------------------------------------


@pytest.mark.proves("R2.f", "R3.b")
@pytest.mark.parametrize(
    ("absences", "expected"),
    [
        ([off("2026-01-17", "2026-01-17")], ["Fri 16 10:00-12:00", "Fri 16 20:00-00:00", "Sun 18 00:00-02:00", "Sun 18 10:00-12:00"]),
        ([off("2026-01-16", "2026-01-17")], ["Sun 18 00:00-02:00", "Sun 18 10:00-12:00"]),
        ([off("2026-01-17", "2026-01-17"), off("2026-01-16", "2026-01-16")], ["Sun 18 00:00-02:00", "Sun 18 10:00-12:00"]),
        ([off("2026-01-01", "2026-12-31")], []),
        (
            [off("2026-01-18", "2026-01-17")],  # ends before it begins: nothing
            ["Fri 16 10:00-12:00", "Fri 16 20:00-02:00", "Sat 17 10:00-12:00", "Sat 17 20:00-02:00", "Sun 18 10:00-12:00"],
        ),
    ],
)
def test_an_absence_is_cut_out_from_local_midnight_to_local_midnight(absences: list[Absence], expected: list[str]) -> None:
    assert worked("10:00-12:00,20:00-02:00", "2026-01-16T03:00", "2026-01-18T13:00", absences) == expected


@pytest.mark.proves("R2.f")
@pytest.mark.parametrize(
    ("extras", "absences", "expected"),
    [
        ([extra("2026-01-17", "2026-01-17", "10:00-16:00")], [], ["Fri 16 18:00-02:00", "Sat 17 10:00-16:00", "Sun 18 18:00-02:00"]),
        (
            [extra("2026-01-17", "2026-01-18", "10:00-16:00,18:00-03:00")],
            [],
            ["Fri 16 18:00-02:00", "Sat 17 10:00-16:00", "Sat 17 18:00-03:00", "Sun 18 10:00-16:00", "Sun 18 18:00-03:00"],
        ),
        (
            [extra("2026-01-17", "2026-01-17", "10:00-16:00")],
            [off("2026-01-17", "2026-01-17")],
            ["Fri 16 18:00-00:00", "Sun 18 18:00-02:00"],
        ),
        (
            [extra("2026-01-17", "2026-01-17", "10:00-12:00"), extra("2026-01-17", "2026-01-17", "11:00-14:00")],
            [],
            ["Fri 16 18:00-02:00", "Sat 17 10:00-14:00", "Sun 18 18:00-02:00"],
        ),
        (
            [extra("2026-01-15", "2026-01-15", "20:00-06:00")],
            [],
            ["Fri 16 05:00-06:00", "Fri 16 18:00-02:00", "Sat 17 18:00-02:00", "Sun 18 18:00-02:00"],
        ),
    ],
)
def test_an_extra_opening_replaces_the_shifts_of_its_dates_and_an_absence_wins(
    extras: list[ExtraOpening], absences: list[Absence], expected: list[str]
) -> None:
    assert worked("18:00-02:00", "2026-01-16T05:00", "2026-01-19T05:00", absences, extras) == expected


@pytest.mark.parametrize(("day", "length"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-06-01", 24)])
def test_an_absence_takes_23_24_or_25_hours(day: str, length: int) -> None:
    gone, kept = spans("24/7", (off(day, day),), (), PARIS, ms(day) - DAY, ms(day) + 3 * DAY)
    assert kept[0] - gone[1] == length * 60 * MINUTE
    assert gone[1] == ms(day)


# -- the nights when clocks change -----------------------------------------------------------------------------------


@pytest.mark.proves("R2.d")
@pytest.mark.parametrize(
    ("zone", "day", "hours", "minutes"),
    [
        (PARIS, "2026-03-29", "01:00-04:00", [120]),
        (PARIS, "2026-10-25", "01:00-04:00", [240]),
        (PARIS, "2026-03-29", "02:30-05:00", [120]),  # begins when the clock jumps to 03:00
        (PARIS, "2026-03-29", "00:00-02:30", [120]),
        (PARIS, "2026-03-29", "02:10-02:40", []),  # the clock never shows it
        (PARIS, "2026-10-25", "02:30-05:00", [30, 150]),  # 02:30 comes twice
        (PARIS, "2026-10-25", "00:00-02:30", [150, 30]),
        (PARIS, "2026-10-25", "02:10-02:40", [30, 30]),
        ("America/New_York", "2026-03-08", "01:00-04:00", [120]),
        ("America/New_York", "2026-11-01", "01:00-04:00", [240]),
        ("Australia/Lord_Howe", "2026-04-05", "01:00-04:00", [210]),
        ("Australia/Lord_Howe", "2026-10-04", "01:00-04:00", [150]),
        ("Australia/Lord_Howe", "2026-04-05", "01:45-03:00", [15, 75]),
        ("Asia/Kathmandu", "2026-03-29", "01:00-04:00", [180]),
    ],
)
def test_a_range_lasts_as_long_as_the_clock_shows_it(zone: str, day: str, hours: str, minutes: list[int]) -> None:
    found = spans(hours, (), (), zone, ms(day, zone), ms(day, zone) + 20 * 60 * MINUTE)
    assert [(end - start) // MINUTE for start, end in found] == minutes


@pytest.mark.proves("R2.d", "R2.e")
@pytest.mark.parametrize(("day", "length"), [("2026-03-28", 7), ("2026-10-24", 9)])
def test_a_night_shift_over_a_change_of_clocks(day: str, length: int) -> None:
    ((start, end),) = spans("Sa 22:00-06:00", (), (), PARIS, ms(day), ms(day) + 2 * DAY)
    assert (start, end - start) == (ms(f"{day}T22:00"), length * 60 * MINUTE)


Shift = tuple[int, int]
Week = list[tuple[list[int], list[Shift]]]  # rules: days of the week, and shifts; a later rule replaces an earlier one

shifts = st.tuples(st.integers(0, 1_439), st.integers(1, 1_440)).map(lambda shift: (shift[0], shift[0] + shift[1]))
rules = st.tuples(st.lists(st.integers(0, 6), min_size=1, max_size=4, unique=True), st.lists(shifts, max_size=3))
some_days = st.tuples(st.integers(-2, 3), st.integers(0, 2))


def clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"


def times(begun: list[Shift]) -> str:
    return ",".join(f"{clock(start)}-{clock(end % 1_440)}" for start, end in begun)


def text(week: Week) -> str:
    return "; ".join(f"{','.join(DAYS[day] for day in days)} {times(begun) or 'off'}" for days, begun in week)


@lru_cache(maxsize=64)
def minutes_shown(zone: str, first: int, count: int) -> list[tuple[date, int]]:
    """What the local clock shows, minute by minute."""
    moments = (at(first + step * MINUTE, zone) for step in range(count))
    return [(moment.date(), moment.hour * 60 + moment.minute) for moment in moments]


@pytest.mark.proves("R2.d", "R2.e", "R2.f")
@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(NIGHTS),
    st.lists(rules, min_size=1, max_size=3),
    st.lists(some_days, max_size=2),
    st.lists(st.tuples(some_days, st.lists(shifts, min_size=1, max_size=2)), max_size=2),
    st.integers(-1_440, 600),
)
@example((PARIS, date(2026, 10, 25)), [([0, 1, 2, 3, 4, 5, 6], [(1_000, 2_000)])], [(0, 0)], [((1, 0), [(120, 1_500)])], 0)
def test_he_works_at_every_instant_at_which_the_clock_shows_a_time_within_his_hours(
    night: tuple[str, date], week: Week, gone: list[tuple[int, int]], more: list[tuple[tuple[int, int], list[Shift]]], begin: int
) -> None:
    zone, day = night
    absences = [(day + timedelta(first), day + timedelta(first + length)) for first, length in gone]
    extras = [(day + timedelta(first), day + timedelta(first + length), begun) for (first, length), begun in more]

    def begun_on(date_: date) -> list[Shift]:
        added = [shift for first, last, begun in extras if first <= date_ <= last for shift in begun]
        return added or next((begun for days, begun in reversed(week) if date_.weekday() in days), [])

    def works(date_: date, minute: int) -> bool:
        if any(first <= date_ <= last for first, last in absences):
            return False
        eve = begun_on(date_ - timedelta(1))
        return any(a <= minute < b for a, b in begun_on(date_)) or any(a <= minute + 1_440 < b for a, b in eve)

    count = 3_000
    start = ms(day.isoformat(), zone) // MINUTE * MINUTE + begin * MINUTE
    found = spans(
        text(week),
        tuple(Absence(from_=first, to=last) for first, last in absences),
        tuple(ExtraOpening(from_=first, to=last, hours=times(begun)) for first, last, begun in extras),
        zone,
        start,
        start + count * MINUTE,
    )
    expected = [works(*shown) for shown in minutes_shown(zone, start, count)]
    actual = [False] * count
    for low, high in found:
        assert low < high
        assert low % MINUTE == high % MINUTE == 0
        actual[(low - start) // MINUTE : (high - start) // MINUTE] = [True] * ((high - low) // MINUTE)
    assert actual == expected
    assert all(one[1] < other[0] for one, other in pairwise(found))


@given(st.integers(0, 40 * 1_440), st.integers(0, 40 * 1_440), st.integers(0, 40 * 1_440))
def test_a_part_of_the_range_gives_a_part_of_the_spans(first: int, second: int, third: int) -> None:
    low, middle, high = (ms("2026-03-01") + minute * MINUTE for minute in sorted((first, second, third)))
    hours = "Mo-Fr 09:10-12:00,14:00-19:00; Sa 10:00-02:00; Su 22:00-22:00"

    def asked(start: int, end: int) -> int:
        return sum(b - a for a, b in spans(hours, (off("2026-03-12", "2026-03-13"),), (), PARIS, start, end))

    assert asked(low, middle) + asked(middle, high) == asked(low, high)


# -- quarter-hours ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("worked_", "first", "count", "bits", "ragged"),
    [
        ((), 0, 8, "00000000", ()),
        (((0, QUARTER),), 0, 8, "10000000", ()),
        (((QUARTER, 3 * QUARTER),), 0, 10, "0110000000000000", ()),
        (((QUARTER + 1, 3 * QUARTER),), 0, 8, "01100000", (0,)),
        (((QUARTER, 3 * QUARTER - 1),), 0, 8, "01100000", (0,)),
        (((QUARTER + 1, QUARTER + 2),), 0, 8, "01000000", (0,)),
        (((QUARTER + 1, QUARTER + 2), (QUARTER + 5, 2 * QUARTER)), 0, 8, "01000000", (0,)),
        (((0, 20 * QUARTER),), 4, 4, "11110000", ()),
        (((0, 20 * QUARTER),), 4, 0, "", ()),
        (((DAY - QUARTER, DAY + 60_000),), 92, 8, "00011000", (1,)),
        (((DAY - 60_000, DAY + QUARTER),), 92, 8, "00011000", (0,)),
        (((QUARTER + 1, 100 * QUARTER - 1),), 4, 8, "11111111", ()),  # ragged outside of what is asked
    ],
)
def test_quarters_are_set_when_any_part_is_worked(worked_: Spans, first: int, count: int, bits: str, ragged: tuple[int, ...]) -> None:
    answer = quarters(worked_, first, count)
    assert "".join(f"{byte:08b}" for byte in answer.touched) == bits
    assert answer.ragged_days == ragged


@given(st.sets(st.integers(0, 60 * 96), max_size=40), st.integers(0, 200), st.integers(0, 300))
def test_quarters_agree_with_a_count_of_minutes(edges: set[int], first: int, count: int) -> None:
    ordered = sorted(edges)
    found = tuple((a * MINUTE, b * MINUTE) for a, b in zip(ordered[::2], ordered[1::2], strict=False))
    busy = {minute for a, b in found for minute in range(a // MINUTE, b // MINUTE)}
    parts = [sum(minute in busy for minute in range(quarter * 15, quarter * 15 + 15)) for quarter in range(first, first + count)]
    answer = quarters(found, first, count)
    assert "".join(f"{byte:08b}" for byte in answer.touched)[:count] == "".join("1" if part else "0" for part in parts)
    assert answer.ragged_days == tuple(sorted({(first + place) // 96 for place, part in enumerate(parts) if 0 < part < 15}))


def test_quarters_of_real_hours() -> None:
    start = ms("2026-01-16")
    answer = quarters(spans("Fr 09:10-10:00,14:00-15:00", (), (), PARIS, start, start + DAY), start // QUARTER, 96)
    touched = [place for place in range(96) if answer.touched[place // 8] >> (7 - place % 8) & 1]
    assert touched == [36, 37, 38, 39, 56, 57, 58, 59]
    assert answer.ragged_days == (ms("2026-01-16T09:10") // DAY,)


# -- daily ranges ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("range_", "moment", "held"),
    [
        (daily("22:00", "07:00"), "2026-01-16T21:59", False),
        (daily("22:00", "07:00"), "2026-01-16T22:00", True),
        (daily("22:00", "07:00"), "2026-01-16T00:00", True),
        (daily("22:00", "07:00"), "2026-01-16T06:59", True),
        (daily("22:00", "07:00"), "2026-01-16T07:00", False),
        (daily("12:00", "14:00"), "2026-01-16T11:59", False),
        (daily("12:00", "14:00"), "2026-01-16T12:00", True),
        (daily("12:00", "14:00"), "2026-01-16T14:00", False),
        (daily("12:00", "00:00"), "2026-01-16T23:59", True),
        (daily("12:00", "00:00"), "2026-01-16T00:00", False),
        (daily("08:00", "08:00"), "2026-01-16T08:00", True),
        (daily("08:00", "08:00"), "2026-01-16T07:59", True),
    ],
)
def test_a_range_holds_its_start_and_not_its_end_and_equal_ends_are_the_whole_day(range_: DailyRange, moment: str, held: bool) -> None:
    assert in_range(range_, PARIS, ms(moment)) is held
    assert in_range(range_, PARIS, ms(moment) + 59_999) is held


@pytest.mark.parametrize(
    ("range_", "now", "end"),
    [
        (daily("22:00", "07:00"), ms("2026-01-16T23:00"), ms("2026-01-17T07:00")),
        (daily("22:00", "07:00"), ms("2026-01-17T06:59") + 59_999, ms("2026-01-17T07:00")),
        (daily("22:00", "07:00"), ms("2026-01-17T12:00"), ms("2026-01-17T12:00")),  # not in it
        (daily("22:00", "07:00"), ms("2026-03-28T23:00"), ms("2026-03-29T07:00")),  # 7 hours on
        (daily("22:00", "07:00"), ms("2026-10-24T23:00"), ms("2026-10-25T07:00")),  # 9 hours on
        (daily("22:00", "02:30"), ms("2026-03-28T23:00"), ms("2026-03-29T03:00")),  # the clock skips 02:30
        (daily("22:00", "02:00"), ms("2026-03-28T23:00"), ms("2026-03-29T03:00")),  # at 02:00 it shows 03:00
        (daily("22:00", "02:30"), ms("2026-10-24T23:00"), ms("2026-10-25T02:30")),  # the first 02:30
        (daily("22:00", "02:30"), ms("2026-10-25T02:15", fold=1), ms("2026-10-25T02:30", fold=1)),
        (daily("02:45", "07:00"), ms("2026-10-25T02:50"), ms("2026-10-25T02:00", fold=1)),  # the clock goes back before its start
        (daily("08:00", "08:00"), ms("2026-01-16T08:00"), ms("2026-01-17T08:00")),
        (daily("08:00", "08:00"), ms("2026-01-16T07:59"), ms("2026-01-16T08:00")),
        (daily("02:30", "02:30"), ms("2026-03-28T12:00"), ms("2026-03-29T03:00")),
        (daily("22:00", "07:00"), ms("2026-12-31T23:59"), ms("2027-01-01T07:00")),
    ],
)
def test_the_end_of_a_range_is_the_instant_at_which_the_clock_leaves_it(range_: DailyRange, now: int, end: int) -> None:
    assert end_of_range(range_, PARIS, now) == end


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(NIGHTS), st.integers(0, 1_439), st.integers(0, 1_439), st.integers(-600, 1_800))
@example(("America/Havana", date(2026, 3, 8)), 1, 0, -1)  # the one minute outside of the range is skipped
def test_the_end_of_a_range_agrees_with_watching_the_clock(night: tuple[str, date], start: int, end: int, minute: int) -> None:
    zone, day = night
    range_ = daily(clock(start), clock(end))
    first = ms(day.isoformat(), zone) // MINUTE * MINUTE + minute * MINUTE
    shown = [minute for _, minute in minutes_shown(zone, first, 3_000)]
    inside = [start <= at < end if start < end else at >= start or at < end for at in shown]
    assert [in_range(range_, zone, first + step * MINUTE) for step in range(0, 3_000, 60)] == inside[::60]
    assert [local_minute(zone, first + step * MINUTE) for step in range(0, 3_000, 60)] == shown[::60]
    if False in inside:
        assert end_of_range(range_, zone, first) == first + inside.index(False) * MINUTE


@pytest.mark.parametrize("time_zone", ["Mars/Olympus", "", "../etc/passwd", "Europe", "Europe/Paris\0"])
def test_a_time_zone_nobody_knows_is_refused(time_zone: str) -> None:
    check_time_zone(PARIS)
    with pytest.raises(Unprocessable, match="Europe/Paris") as caught:
        check_time_zone(time_zone)
    assert caught.value.code == "bad_time_zone"

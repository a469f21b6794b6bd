"""Hours as a table: the text made of it, and the judgement by it."""

from datetime import date, datetime, timedelta

import opening_hours
import pytest

from dispatch.demo.hours import covers, osm, week
from dispatch.demo.providers import HOURS, LATE, OFFICE

SPLIT = week(("Mo Tu", "09:00-12:30,14:00-19:00"), ("Sa", "10:00-18:00"))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)  # 2026-11-23 is a Monday


@pytest.mark.parametrize(
    ("table", "text"),
    [
        (SPLIT, "Mo-Tu 09:00-12:30,14:00-19:00; Sa 10:00-18:00"),
        (week(("We", "20:00-02:00")), "We 20:00-02:00"),
        (week(("Mo Tu We Th Fr Sa Su", "08:00-21:00")), "Mo-Su 08:00-21:00"),
        (week(), ""),
    ],
)
def test_the_text_says_what_the_table_says(table: object, text: str) -> None:
    assert osm(table) == text  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("start", "end", "works"),
    [
        ("2026-11-23T09:00", "2026-11-23T12:30", True),
        ("2026-11-23T09:00", "2026-11-23T12:31", False),
        ("2026-11-23T12:00", "2026-11-23T14:30", False),
        ("2026-11-25T10:00", "2026-11-25T11:00", False),
        ("2026-11-28T17:00", "2026-11-28T18:00", True),
    ],
)
def test_a_visit_must_lie_inside_one_opening(start: str, end: str, works: bool) -> None:
    assert covers(SPLIT, at(start), at(end)) is works


def test_an_opening_that_passes_midnight_belongs_to_the_day_on_which_it_begins() -> None:
    friday_night = at("2026-11-28T00:15"), at("2026-11-28T00:45")
    assert covers(LATE, *friday_night)
    assert not covers(LATE, at("2026-11-28T00:45"), at("2026-11-28T01:15"))
    assert not covers(LATE, at("2026-11-23T00:15"), at("2026-11-23T00:45"))


def test_nobody_works_on_a_day_off() -> None:
    visit = at("2026-11-24T09:00"), at("2026-11-24T10:00")
    assert covers(OFFICE, *visit)
    assert not covers(OFFICE, *visit, [(date(2026, 11, 20), date(2026, 11, 24))])
    assert covers(OFFICE, *visit, [(date(2026, 11, 25), date(2026, 11, 26))])


@pytest.mark.parametrize("table", [table for tables in HOURS.values() for table in tables])
def test_another_reader_of_the_grammar_agrees_quarter_by_quarter(table: object) -> None:
    reader = opening_hours.OpeningHours(osm(table))  # type: ignore[arg-type]
    for quarter in range(7 * 96):
        moment = at("2026-11-23T00:00") + timedelta(minutes=15 * quarter)
        assert covers(table, moment, moment.replace(second=1)) is reader.is_open(moment), moment  # type: ignore[arg-type]

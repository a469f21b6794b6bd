"""Explanations, pure: what was true of a provider at a moment, and what a decision was for him (R8)."""

import struct
from typing import Any

import pytest
from msgspec.structs import replace

from dispatch.explain import Asked, Decision, Past, as_of, asked_of, decisions_of, in_short, judge, windows_at
from dispatch.matcher import RANKS, Fit, Person, Query, bucket_of
from dispatch.model import CircleZone, MarketSettings, ProviderSettings, Reason, Span, Tier
from dispatch.zones import cells_of, from_model

HOUR = 3_600_000
NOW = 1_804_849_200_000  # Friday 2027-03-12 12:00 in Paris
SETTINGS = ProviderSettings(name="Ada", trade="hair", catalogue=("cut",), hours="24/7", zone=CircleZone(lat=48.86, lng=2.34, radius_km=6))
ADA = Person(no=1, settings=SETTINGS, shape=from_model(SETTINGS.zone), tier=Tier.PREFERRED, score=8.0)
BUCKET = bucket_of(Tier.PREFERRED, 8.0)
VISIT = Span(NOW + 4 * HOUR, NOW + 5 * HOUR)
QUERY = Query(
    lat=48_860_000, lng=2_340_000, cells=cells_of(48_860_000, 2_340_000), areas=(), services=("cut",), windows=(VISIT,), gap=1_800_000
)
MARKET = MarketSettings()
WAVE = Decision(
    at=NOW, wave=1, fill=False, without_behind=True, skipped=False, round=1, size=1, seats=1, drawn=0, gap=1_800_000,
    last=bucket_of(Tier.PREMIER, 9.0),
)  # fmt: skip


def then(*entries: tuple[int, ...], moment: int = NOW, person: Person = ADA, **past: Any) -> tuple[Person, int] | None:
    return as_of(person, BUCKET, Past(since=0, entries=entries, **past), moment, client=7, cap=5)


@pytest.mark.parametrize(
    ("entries", "field", "expected"),
    [
        ([], "reachable", True),
        ([(NOW + 1, 1, 2)], "reachable", False),  # until then he had no device
        ([(NOW, 1, 2)], "reachable", True),  # it changed at that very moment: the new holds
        ([(NOW + 1, 1, 0), (NOW + 2, 1, 2)], "reachable", True),  # the first that ends after the moment tells
        ([(NOW + 1, 1, 4)], "available", False),
        ([(NOW + 1, 1, 8)], "paused", True),
        ([(NOW + 1, 1, 16)], "live", 5),
        ([(NOW + 1, 2, VISIT.start, VISIT.end)], "visits", ()),
        ([(NOW + 1, 3, VISIT.start, VISIT.end)], "visits", (VISIT, VISIT)),
        ([(NOW - 1, 2, VISIT.start, VISIT.end)], "visits", (VISIT,)),
        ([(NOW + 1, 5, 7, 1)], "blocked", True),
        ([(NOW + 1, 5, 8, 1)], "blocked", False),  # with another client
        ([(NOW + 1, 4, RANKS + 3)], "behind", True),
    ],
)
def test_what_was_true_is_read_from_what_ended_later_r8(entries: list[tuple[int, ...]], field: str, expected: object) -> None:
    found = then(*entries, person=replace(ADA, visits=(VISIT,)))
    assert found is not None
    assert getattr(found[0], field) == expected


def test_a_status_that_has_changed_is_the_one_he_had_r8() -> None:
    found = then((NOW + 1, 1, 1))
    assert found is not None
    assert found[0].settings.status == "inactive"


def test_his_settings_and_zone_are_those_of_the_moment_r8() -> None:
    old = replace(SETTINGS, zone=CircleZone(lat=45.0, lng=2.34, radius_km=6))
    for until, zone in ((NOW + 1, old.zone), (NOW, SETTINGS.zone)):
        found = then(settings=((until, old),))
        assert found is not None
        assert (found[0].settings.zone, found[0].shape) == (zone, from_model(zone))


def test_before_he_came_he_was_not_there_r8() -> None:
    assert as_of(ADA, BUCKET, Past(since=NOW + 1), NOW, client=7, cap=5) is None
    assert judge(WAVE, QUERY, None, [], MARKET).what == "not_there"


@pytest.mark.parametrize(
    ("last", "bucket", "word"),
    [
        (bucket_of(Tier.PREMIER, 9.0), BUCKET, "higher tier"),
        (bucket_of(Tier.PREFERRED, 8.5), BUCKET, "of your tier"),
        (BUCKET, BUCKET, "of your tier"),
        (bucket_of(Tier.LIMITED, 1.0), BUCKET, "not your turn"),
        (bucket_of(Tier.LIMITED, 1.0), RANKS + 5, "below the market's minimum"),
        (None, BUCKET, "newcomers"),
    ],
)
def test_one_who_fitted_is_told_who_came_first_r8(last: int | None, bucket: int, word: str) -> None:
    verdict = judge(replace(WAVE, last=last, without_behind=False), QUERY, (ADA, bucket), [], MARKET)
    assert verdict.what == "outranked"
    assert word in verdict.text[0]


def test_the_gap_is_that_of_the_decision_r8() -> None:
    """The market has changed it since."""
    near = replace(ADA, visits=(Span(VISIT.end + 900_000, VISIT.end + HOUR),))
    assert judge(WAVE, QUERY, (near, BUCKET), [], MARKET).reasons == (Reason.OVERLAP,)
    assert judge(replace(WAVE, gap=0), QUERY, (near, BUCKET), [], MARKET).what == "outranked"


@pytest.mark.parametrize(
    ("asked", "what", "reasons"),
    [
        ([Asked(1, NOW)], "asked", ()),
        ([Asked(1, NOW - HOUR)], "left_out", (Reason.ASKED,)),
        ([Asked(1, NOW + HOUR)], "outranked", ()),
        ([Asked(2, NOW - HOUR)], "outranked", ()),  # in another round
    ],
)
def test_who_was_asked_before_in_the_round_is_left_out_r8(asked: list[Asked], what: str, reasons: tuple[Reason, ...]) -> None:
    verdict = judge(WAVE, QUERY, (ADA, BUCKET), asked, MARKET)
    assert (verdict.what, verdict.reasons) == (what, reasons)


def test_a_drawn_seat_and_a_skipped_wave_are_told_r6_r7() -> None:
    assert "newcomers" in judge(WAVE, QUERY, (ADA, BUCKET), [Asked(1, NOW, drawn=True)], MARKET).text[0]
    assert "minimum" in judge(replace(WAVE, skipped=True), QUERY, (ADA, BUCKET), [Asked(1, NOW)], MARKET).text[0]
    assert "by lot" in judge(replace(WAVE, drawn=1), QUERY, (ADA, BUCKET), [], MARKET).text[0]


def test_rows_are_read_as_they_are_written_r8() -> None:
    raw = struct.pack("<IBBBBBBHB", 5_000, 2, 1 | 2, 1, 3, 2, 1, 1_800, 255) + struct.pack("<IBBBBBBHB", 6_000, 2, 4, 2, 1, 1, 0, 0, 84)
    first, second = decisions_of(raw, NOW)
    assert (first.at, first.wave, first.fill, first.without_behind, first.skipped, first.last) == (NOW + 5_000, 2, True, True, False, None)
    assert (first.round, first.size, first.seats, first.drawn, first.gap) == (1, 3, 2, 1, 1_800_000)
    assert (second.at, second.skipped, second.round, second.last) == (NOW + 6_000, True, 2, 84)


def test_windows_and_askings_are_read_from_the_timeline_r8() -> None:
    story = [
        {"type": "Opened", "at": NOW, "windows": [(1, 2), (3, 4)]},
        {"type": "WaveSent", "at": NOW + 1, "asked": [1, 2], "drawn": [2]},
        {"type": "WindowsDropped", "at": NOW + 5, "windows": [(3, 4)]},
        {"type": "WaveSent", "at": NOW + 9, "asked": [1]},
    ]
    assert [windows_at(story, NOW + at) for at in (0, 4, 5)] == [(Span(1, 2), Span(3, 4))] * 2 + [(Span(3, 4),)]
    rounds = [replace(WAVE, at=NOW + 1), replace(WAVE, at=NOW + 9, round=2)]
    assert asked_of(story, rounds, 1) == [Asked(1, NOW + 1), Asked(2, NOW + 9)]
    assert asked_of(story, rounds, 2) == [Asked(1, NOW + 1, drawn=True)]


def test_in_short_the_last_decision_counts_and_before_the_first_how_things_are_r8() -> None:
    left = judge(WAVE, QUERY, (replace(ADA, paused=True), BUCKET), [], MARKET)
    out = judge(WAVE, QUERY, (ADA, BUCKET), [], MARKET)
    fits_now = Fit((0,), ())
    assert in_short(None, [(WAVE, out), (WAVE, left)], fits_now, "searching")["reasons"] == ["paused"]
    assert in_short(None, [(WAVE, left), (WAVE, out)], fits_now, "searching")["reasons"] == []
    assert "others come first" in in_short(None, [], fits_now, "searching")["text"][0]
    assert "search is over" in in_short(None, [], fits_now, "accepted")["text"][0]
    assert in_short(None, [], Fit((), (Reason.ZONE,)), "searching")["reasons"] == ["zone"]

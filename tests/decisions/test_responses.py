"""The clock of an answer (R22), and that silence is never better than a word (R20)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dispatch.responses import Times, response_ms

SENT, LIFE, CAP = 1_000_000, 600_000, 3_600_000
OPEN = Times(sent_at=SENT, answer_by=SENT + LIFE, received_at=SENT + 1_000, seen_at=SENT + 5_000, answered_at=0, stale=False)


@pytest.mark.proves("R12b.d", "R22.a", "R22.b", "R22.c")
@pytest.mark.parametrize(
    ("what", "times", "expected"),
    [
        ("from the display", replace(OPEN, answered_at=SENT + 35_000), 30_000),
        ("from the receipt when nothing was shown", replace(OPEN, seen_at=0, answered_at=SENT + 35_000), 34_000),
        ("nothing was confirmed before", replace(OPEN, seen_at=0, received_at=SENT + 35_000, answered_at=SENT + 35_000), None),
        ("still open", OPEN, None),
        ("taken back while he had time", replace(OPEN, stale=False), None),
        ("never answered", replace(OPEN, stale=True), LIFE),
        ("never delivered", replace(OPEN, received_at=0, seen_at=0, stale=True), None),
        ("answered when it was stale", replace(OPEN, answered_at=SENT + 2 * LIFE, stale=True), LIFE),
        ("a long life is capped", replace(OPEN, answer_by=SENT + 10 * CAP, stale=True), CAP),
        ("a late answer too", replace(OPEN, answer_by=SENT + 10 * CAP, answered_at=SENT + 5 * CAP), CAP),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_the_clock_of_an_answer_r22(what: str, times: Times, expected: int | None) -> None:
    assert response_ms(times, CAP) == expected


@pytest.mark.proves("R20.c")
@given(st.integers(1_000, 20 * CAP), st.integers(1, 20 * CAP), st.integers(0, 20 * CAP), st.integers(0, 20 * CAP))
def test_an_answer_never_counts_for_more_than_silence_r20(life: int, received: int, shown: int, took: int) -> None:
    confirmed = Times(
        sent_at=SENT, answer_by=SENT + life, received_at=SENT + received, seen_at=SENT + received + shown, answered_at=0, stale=True
    )
    silence = response_ms(confirmed, CAP)
    answer = response_ms(replace(confirmed, answered_at=confirmed.seen_at + took), CAP)
    assert silence is not None
    assert answer is not None
    assert 0 <= answer <= silence

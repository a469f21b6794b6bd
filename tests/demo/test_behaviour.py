"""How people answer: the shares and delays are those of the real requests, made faster as the docstring says."""

from collections import Counter
from random import Random
from statistics import median

import pytest

from dispatch.demo.behaviour import FASTER, NO_S, YES_S, Answer, plan, urgency_of


def draw(urgency: str, count: int = 20_000) -> list[tuple[Answer, float]]:
    chance = Random(7)
    return [(p.answer, p.after_s) for p in (plan(chance, urgency, 1.0) for _ in range(count))]


def test_the_shares_of_answers_are_those_of_the_real_requests() -> None:
    seen = Counter(answer for answer, _ in draw("last_minute"))
    shares = {answer: 100 * number / 20_000 for answer, number in seen.items()}
    expected = {Answer.ACCEPT: 44, Answer.COUNTER: 1.2, Answer.REFUSE: 25 + 7.65, Answer.NEVER: 14.5 + 7.65}
    assert shares == pytest.approx(expected, abs=1)


@pytest.mark.parametrize(("urgency", "minutes"), [("last_minute", 4), ("same_day", 12), ("advance", 39), ("far", 78)])
def test_a_yes_takes_so_many_minutes_in_the_median(urgency: str, minutes: float) -> None:
    assert median(after for answer, after in draw(urgency) if answer is Answer.ACCEPT) / 60 == pytest.approx(minutes, rel=0.08)


def test_a_no_takes_longer_than_a_yes_by_the_real_ratio_or_more() -> None:
    answers = draw("far")
    yes, no = (median(after for answer, after in answers if answer is kind) for kind in (Answer.ACCEPT, Answer.REFUSE))
    assert NO_S / YES_S * 0.9 < no / yes < NO_S / YES_S * 2


def test_nobody_answers_before_he_has_looked() -> None:
    chance = Random(3)
    assert all(p.seen_s <= p.after_s for p in (plan(chance, "last_minute", 0.1) for _ in range(2_000)))


@pytest.mark.parametrize(("hours", "urgency"), [(2, "last_minute"), (6, "same_day"), (24, "advance"), (72, "far"), (500, "far")])
def test_urgency_follows_the_lead_time(hours: float, urgency: str) -> None:
    assert urgency_of(hours * 3600) == urgency
    assert urgency in FASTER

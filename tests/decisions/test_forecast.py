"""The forecast (R19): by tables, beside searches that are played through many times, and learned from answers that were cut off."""

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from random import Random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.forecast import Answering, answering, expected_minutes, nobody_yet
from dispatch.habits import AGES_MS, ASSUMED, DEFAULT_ACCEPT_RATE, PARTS, Part
from dispatch.model import MarketSettings, Urgency
from dispatch.waves import PlannedWave, Search, deadline_of, plan, row_of, urgency_of

MINUTE, HOUR = 60_000, 3_600_000
NOON = 1_804_849_200_000  # Friday 2027-03-12 12:00 in Paris
LOUD = MarketSettings(quiet_hours=None)
LEADS = {Urgency.LAST_MINUTE: 4, Urgency.SAME_DAY: 8, Urgency.ADVANCE: 30, Urgency.FAR: 90}  # hours
NOTHING = [Part(0, 0)] * PARTS


def planned(lead_h: float, candidates: int) -> tuple[PlannedWave, ...]:
    start = NOON + round(lead_h * HOUR)
    search = Search(start=start, opened_at=NOON, deadline=deadline_of(LOUD, start, NOON), wave=0, paced_at=NOON, tried=False)
    return plan(LOUD, search, candidates, NOON)


def minutes(lead_h: float, candidates: int, seen: Sequence[Part] = ()) -> float | None:
    start = NOON + round(lead_h * HOUR)
    habits = dict.fromkeys(Urgency, seen) if seen else None
    return expected_minutes(LOUD, start, deadline_of(LOUD, start, NOON), planned(lead_h, candidates), habits)


def table(answers: Sequence[tuple[float, bool]]) -> list[Part]:
    """The table of proposals that ended at an age (ms), by a yes or not, as the store keeps it."""
    parts = []
    for begin, end in pairwise((0, *AGES_MS, float("inf"))):
        held = sum(min(age, end) - begin for age, _ in answers if age > begin)
        parts.append(Part(held, sum(begin < age <= end for age, yes in answers if yes)))
    return parts


def willing(rate: float, mean_min: float, seed: int = 1) -> list[Part]:
    """A market whose providers accept at this rate, after an exponential delay, and else say nothing for hours."""
    return table([answer(Random(f"{seed} {n}"), rate, mean_min) for n in range(2_000)])


def answer(chance: Random, rate: float, mean_min: float) -> tuple[float, bool]:
    return (chance.expovariate(1 / mean_min) * MINUTE, True) if chance.random() < rate else (10 * HOUR, False)


# -- what is told -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("candidates", "low", "high"), [(0, None, None), (1, None, None), (3, None, None), (6, 4, 15), (30, 3, 8)])
def test_the_time_to_an_answer_is_told_when_one_is_likely_r19(candidates: int, low: float | None, high: float | None) -> None:
    found = minutes(4, candidates)
    assert found is None if low is None else found is not None and high is not None and low <= found <= high


def test_more_willing_providers_answer_sooner_r19() -> None:
    found = [minutes(4, 30, willing(rate, 4)) or 99 for rate in (0.1, 0.3, 0.9)]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == 3


def test_faster_providers_answer_sooner_r19() -> None:
    found = [minutes(30, 30, willing(0.4, mean)) or 9_999 for mean in (200, 60, 20, 5)]
    assert found == sorted(found, reverse=True)
    assert len(set(found)) == 4


@pytest.mark.parametrize("lead_h", LEADS.values())
def test_a_deadline_that_comes_too_soon_is_told_nothing_r19(lead_h: float) -> None:
    start, rows = NOON + round(lead_h * HOUR), planned(lead_h, 100)
    assert expected_minutes(LOUD, start, NOON + MINUTE, rows[:1]) is None


# -- what is learned --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("urgency", Urgency)
def test_a_market_that_has_seen_nothing_is_as_assumed(urgency: Urgency) -> None:
    fresh = answering(urgency)
    assert fresh.yes(24 * HOUR) == pytest.approx(DEFAULT_ACCEPT_RATE, abs=0.03)
    assert [fresh.yes(age) for age in (0, *AGES_MS)] == [answering(urgency, NOTHING).yes(age) for age in (0, *AGES_MS)]


@pytest.mark.parametrize(("rate", "mean_min"), [(0.1, 3.0), (0.44, 4.0), (0.44, 40.0), (0.8, 1.5)])
def test_a_market_that_was_seen_for_long_is_as_it_was_seen(rate: float, mean_min: float) -> None:
    """Answers that were cut off by another's yes, at an age of their own, and refusals do not bend it: they count while they are open."""
    chance, ends = Random(7), []
    for _ in range(6_000):
        age, yes = answer(chance, rate, mean_min)
        cut = chance.expovariate(1 / (2 * mean_min)) * MINUTE
        ends.append((age, yes) if age < cut else (cut, False))
    learned = answering(Urgency.SAME_DAY, table(ends))
    found = open_shares(learned, [mean_min * MINUTE * k for k in (0.5, 1, 2)])
    true = [1 - rate * (1 - 2.718281828**-k) for k in (0.5, 1, 2)]
    assert found == pytest.approx(true, abs=0.04)


def open_shares(learned: Answering, ages: Sequence[float]) -> list[float]:
    """The share without a yes at each age, if nobody refused."""
    rates = learned._rates  # what was learned is the rate of a yes while a proposal is open; refusals are an assumption on top
    shares = []
    for age in ages:
        total = sum(rate * max(0.0, min(age, end) - begin) for rate, (begin, end) in zip(rates, pairwise((0, *AGES_MS, 1e12)), strict=True))
        shares.append(2.718281828 ** (-total / (1 + 25 / 44)))
    return shares


@pytest.mark.parametrize(("proposals", "share"), [(2, 0.25), (6, 0.5), (114, 0.95)])
def test_what_was_assumed_weighs_as_much_as_six_proposals(proposals: int, share: float) -> None:
    """How far the rate of a part has come from what was assumed to what was seen: proposals / (proposals + 6)."""
    assumed, whole = answering(Urgency.LAST_MINUTE), willing(0.9, 1.0)
    seen = [Part(part.open_ms * proposals / 2_000, part.yes * proposals / 2_000) for part in whole]
    now, in_the_end = answering(Urgency.LAST_MINUTE, seen), Answering([Part(p.open_ms or 1, p.yes) for p in whole])
    way = (now.yes(MINUTE) - assumed.yes(MINUTE)) / (in_the_end.yes(MINUTE) - assumed.yes(MINUTE))
    assert way == pytest.approx(share, abs=0.15)
    assert ASSUMED == 6


# -- beside searches that are played ----------------------------------------------------------------------------------

PLAYS = 1_500
MARKETS = [("as assumed", ()), ("willing and quick", willing(0.44, 3.5)), ("reluctant", willing(0.08, 6)), ("slow", willing(0.5, 60))]


@pytest.mark.parametrize("urgency", LEADS)
@pytest.mark.parametrize(("name", "seen"), MARKETS, ids=[name for name, _ in MARKETS])
def test_what_is_told_is_the_median_of_searches_that_are_played_r13_r19(name: str, seen: Sequence[Part], urgency: Urgency) -> None:
    """Each play draws an answer for everybody asked; the wave after one that all have refused leaves at once, while nobody is silent."""
    lead_h = LEADS[urgency]
    told = minutes(lead_h, 60, seen)
    played = median(play(lead_h, seen, Random(f"{name} {urgency} {n}")) for n in range(PLAYS))
    assert told is None if played == float("inf") else told == pytest.approx(played, rel=0.15, abs=0.2)


def play(lead_h: float, seen: Sequence[Part], chance: Random) -> float:
    """Minutes to the first yes of one search; infinite when there is none before the deadline."""
    start = NOON + round(lead_h * HOUR)
    first_yes, at, alone_from, yes_by_class = float("inf"), NOON, NOON, {u: answering(u, seen) for u in Urgency}
    deadline, asked = deadline_of(LOUD, start, NOON), 0
    while at < min(deadline, first_yes) and asked < 60:
        row = row_of(LOUD, start - at)
        for _ in range(row.size):
            said, after = draw(chance, yes_by_class[urgency_of(LOUD, start, at)])
            first_yes = min(first_yes, at + after) if said == "yes" else first_yes
            alone_from = max(alone_from, at + after if said == "no" else deadline)
        asked += row.size
        at = min(at + row.pause_s * 1_000, max(at, alone_from))
    return float("inf") if first_yes > deadline else (first_yes - NOON) / MINUTE


def draw(chance: Random, how: Answering) -> tuple[str, float]:
    """What somebody says, and after how many ms."""
    lot = chance.random()
    for said, share in (("yes", how.yes), ("no", how.no)):
        if lot < share(48 * HOUR):
            return said, moment_of(share, lot)
        lot -= share(48 * HOUR)
    return "nothing", 0.0


def moment_of(share: Callable[[float], float], lot: float) -> float:
    """The age at which a share reaches a value."""
    low, high = 0.0, 48.0 * HOUR
    while high - low > 1_000:
        middle = (low + high) / 2
        low, high = (middle, high) if share(middle) < lot else (low, middle)
    return high


# -- properties -------------------------------------------------------------------------------------------------------


def parts() -> st.SearchStrategy[list[Part]]:
    numbers = st.tuples(st.integers(0, 10**10), st.integers(0, 10_000))
    return st.lists(numbers.map(lambda pair: Part(*pair)), min_size=PARTS, max_size=PARTS)


@given(parts(), st.sampled_from(list(LEADS.values())), st.integers(1, 100))
def test_the_chance_that_nobody_accepted_only_falls_r19(seen: list[Part], lead_h: float, candidates: int) -> None:
    rows = planned(lead_h, candidates)
    silent = nobody_yet(LOUD, NOON + round(lead_h * HOUR), rows, dict.fromkeys(Urgency, seen))
    chances = [silent(at) for at in moments()]
    assert chances[0] == 1
    assert all(0 <= later <= sooner + 1e-9 for sooner, later in pairwise(chances))


def moments() -> Iterator[float]:
    yield from (30_000.0 * n * n for n in range(40))

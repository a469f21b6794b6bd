"""Habits: what is learnt of a provider is right, fades, and never makes a refusal worse than silence (R20); an order by it."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dispatch.habits import AGES_MS, FADE_MS, OLDEST_MS, PARTS, REFUSALS, Part, accepting, chance, faded, learnt, quickness, yardstick
from dispatch.matcher import POOL, Person, by_quickness, order
from dispatch.model import AreasZone, ProviderSettings, Tier, Urgency
from dispatch.zones import from_model

MINUTE = 60_000
BY = yardstick(Urgency.LAST_MINUTE, {})
ages = st.floats(0, 3 * OLDEST_MS)
keens, slows = st.floats(1 / 16, 10), st.floats(1 / 16, 16)
SETTINGS = ProviderSettings(name="x", trade="t", catalogue=(), zone=AreasZone(codes=["a"]), hours="24/7")


def person(no: int, **changes: object) -> Person:
    return Person(no=no, settings=SETTINGS, shape=from_model(SETTINGS.zone), **changes)  # type: ignore[arg-type]


# -- R20 --------------------------------------------------------------------------------------------------------------


@pytest.mark.proves("R20.c")
@given(keen=keens, slow=slows, at=ages, longer=ages)
def test_whenever_a_proposal_is_refused_it_leaves_at_least_as_much_as_silence_until_later_r20(
    keen: float, slow: float, at: float, longer: float
) -> None:
    refused, silent = learnt(keen, slow, BY, at, False), learnt(keen, slow, BY, at + longer, False)
    assert refused[0] >= silent[0]
    assert refused[1] == silent[1] == slow


@given(keen=keens, slow=slows, at=ages, earned=st.floats(0.01, 10))
def test_nobody_comes_later_in_the_order_for_a_refusal_than_for_silence_r20(keen: float, slow: float, at: float, earned: float) -> None:
    refused, silent = learnt(keen, slow, BY, at, False), learnt(keen, slow, BY, at + 60 * MINUTE, False)
    assert quickness(*refused, earned) >= quickness(*silent, earned)


@pytest.mark.proves("R20.a")
def test_a_refusal_at_once_leaves_everything_as_it_was_r20() -> None:
    assert learnt(1.7, 0.4, BY, 0, False) == (1.7, 0.4)


def test_the_measure_of_a_proposal_does_not_move_with_what_the_market_learns_meanwhile_r20() -> None:
    """Else two refusals beside each other could move it, and the later silence would be measured by less."""
    before = yardstick(Urgency.ADVANCE, {Urgency.ADVANCE: [Part(9e9, 3.0)] * PARTS})
    assert before.earned(30 * MINUTE) == before._replace().earned(30 * MINUTE)
    assert [before.earned(age) for age in AGES_MS] == sorted(before.earned(age) for age in AGES_MS)


# -- what is learnt is right ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keen", [0.4, 1.0, 2.5])
@pytest.mark.parametrize("cut", [False, True])
def test_who_is_so_keen_is_found_to_be_even_when_half_of_his_offers_are_closed_early(keen: float, cut: bool) -> None:
    """Offers closed by another's accept are censored: counted as a no, he would look half as keen."""
    accepts, found, total = accepting(Urgency.LAST_MINUTE, {}), (1.0, 1.0), 0.0
    draw = Random(f"{keen} {cut}")
    for number in range(4_000):
        age, accepted = _played(draw, keen, accepts.rates, (draw.choice([2, 200]) if cut else 200) * MINUTE)
        found = learnt(*found, BY, age, accepted)
        total += found[0] if number >= 400 else 0
    assert total / 3_600 == pytest.approx(keen, rel=0.15)


def _played(draw: Random, keen: float, rates: list[float], closes: float) -> tuple[float, bool]:
    """One proposal to one who accepts so keenly and refuses as others do: at which age it ended, and whether by an accept."""
    age = 0.0
    for begin, end, rate in zip((0, *AGES_MS), (*AGES_MS, 10.0 * OLDEST_MS), rates, strict=True):
        yes, no = draw.expovariate(rate * keen), draw.expovariate(rate * REFUSALS)
        age = begin + min(yes, no)
        if age < min(end, closes):
            return age, yes < no
        if closes <= end:
            break
    return closes, False


@pytest.mark.parametrize(("ratio", "low", "high"), [(1.0, 0.99, 1.01), (4.0, 3.5, 4.5), (0.25, 0.2, 0.3), (1_000, 15, 16.1)])
def test_who_takes_so_much_longer_is_found_to_do_so(ratio: float, low: float, high: float) -> None:
    found = (1.0, 1.0)
    for _ in range(20):
        found = learnt(*found, BY, ratio * BY.usual_ms, True)
    assert low <= found[1] <= high


@given(keen=keens, slow=slows, at=ages)
def test_only_an_accept_says_how_slow_somebody_is_and_it_makes_him_keener_than_none(keen: float, slow: float, at: float) -> None:
    assert learnt(keen, slow, BY, at, True)[0] > learnt(keen, slow, BY, at, False)[0]


@pytest.mark.parametrize(("halves", "left"), [(0, 1.0), (1, 0.5), (2, 0.25)])
def test_what_is_known_fades_by_half_in_a_fortnight(halves: int, left: float) -> None:
    keen, slow = faded(3.0, 4.0, halves * FADE_MS)
    assert keen == pytest.approx(1 + 2 * left)
    assert slow == pytest.approx(4.0**left)


def test_the_yardstick_follows_the_market_in_how_much_and_how_soon() -> None:
    quick = {Urgency.LAST_MINUTE: [Part(600_000.0, 90.0), *[Part(1e6, 0.0)] * (PARTS - 1)]}
    found = yardstick(Urgency.LAST_MINUTE, quick)
    assert found.usual_ms < BY.usual_ms
    assert found.earned(MINUTE) > 3 * BY.earned(MINUTE)
    assert found.earned(AGES_MS[-1]) == pytest.approx(accepting(Urgency.LAST_MINUTE, quick).earned(AGES_MS[-1]))


@pytest.mark.parametrize("urgency", Urgency)
def test_before_anything_is_seen_a_fifth_accept(urgency: Urgency) -> None:
    assert chance(accepting(urgency, {}).earned(OLDEST_MS)) == pytest.approx(0.2, abs=0.02)


# -- the order --------------------------------------------------------------------------------------------------------


def test_the_likely_and_quick_come_first_within_a_step_or_a_tier_and_never_before_a_better_tier() -> None:
    people = [
        person(1, tier=Tier.PREMIER, score=5.0, keen=0.1),
        person(2, tier=Tier.STANDARD, score=9.0),
        person(3, tier=Tier.STANDARD, score=9.1, keen=2.0),
        person(4, tier=Tier.STANDARD, score=3.0, keen=3.0),
        person(5, tier=Tier.STANDARD, score=3.0, slow=9.0),
    ]
    assert [one.no for one in order(people)] == [1, 2, 3, 4, 5]
    assert [one.no for one in by_quickness(order(people), "step", 0.5)] == [1, 3, 2, 4, 5]
    assert [one.no for one in by_quickness(order(people), "tier", 0.5)] == [1, 4, 3, 2, 5]


def test_among_equals_the_order_stays_that_of_waiting() -> None:
    people = [person(no, asked_at=10 - no) for no in range(1, 6)]
    assert [one.no for one in by_quickness(order(people), "tier", 0.5)] == [5, 4, 3, 2, 1]


def test_only_the_first_of_a_tier_are_put_in_another_order_so_that_all_have_their_turn() -> None:
    people = [person(no, asked_at=no, keen=1.0 if no <= POOL else 9.0) for no in range(1, POOL + 6)]
    assert [one.no for one in by_quickness(order(people), "tier", 0.5)] == list(range(1, POOL + 6))

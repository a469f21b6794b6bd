"""What can come of two verbs that meet, by the rules: each order has an end of its own, and no lie is among them."""

from collections import defaultdict

import pytest

from tests.races.counts import IN_VAIN, WIDEST_MS, Tally
from tests.races.orders import View, agrees, ends, may_hear, settled
from tests.races.pairs import PAIRS, VERBS, Pair
from tests.races.rules import Booking

BY_NAME = {pair.name: pair for pair in PAIRS}


def of(name: str) -> list[View]:
    return [end.view for end in ends(BY_NAME[name])]


def test_there_are_55_pairs_each_verb_with_each_and_with_itself() -> None:
    assert len(PAIRS) == 55
    assert {frozenset((pair.first, pair.second)) for pair in PAIRS} == {frozenset((one, two)) for one in VERBS for two in VERBS}


@pytest.mark.parametrize("pair", [pair for pair in PAIRS if not pair.by_workers], ids=lambda pair: pair.name)
def test_who_was_first_can_be_told_from_what_everybody_sees(pair: Pair) -> None:
    firsts: dict[View, set[int | None]] = defaultdict(set)
    for end in ends(pair):
        firsts[end.view].add(end.first)
    told = [seen - {None} for seen in firsts.values()]
    assert set().union(*told) == {0, 1}
    assert all(len(seen) <= 1 for seen in told)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: pair.name)
def test_whatever_the_order_nobody_is_told_two_things(pair: Pair) -> None:
    for end in ends(pair):
        view = end.view
        won = [line for line in view.story if line.startswith("Accepted ")]
        left = [line for line in view.story if line.split(" ")[0] in ("Reopened", "Moved", "Cancelled", "Assigned")]
        assert len(won) <= 1 + len(left)
        for words in view.told:
            gone = [word for word in words if word.startswith("withdrawn")]
            assert len(gone) <= sum(word.startswith("proposal") for word in words)
        holders = [name for name, state, _ in view.proposals if state == "accepted"]
        if view.state in ("accepted", "taken_over"):
            assert holders == ([view.holder] if view.holder else [])


LIES = {
    "two winners": ("accept x accept", {"answers": (("won",), ("won",))}),
    "nobody wins": ("accept x accept", {"answers": (("lost",), ("lost",))}),
    "the loser is told nothing": ("accept x accept", {"told": ((), (), ())}),
    "a winner of what is cancelled": ("accept x cancel by client", {"answers": (("won",), ("ok",)), "state": "accepted"}),
    "a wave after the end": ("accept x next wave", {"state": "accepted", "story": ("Opened", "Accepted A wave", "WaveSent wave C")}),
    "the service is not told": ("cancel by client x move", {"hooks": ()}),
    "a move after the fence": ("move x take over", {"answers": (("ok",), ("taken_over",))}),
    "two owners": ("take over x take over", {"answers": (("ok",), ("ok",))}),
    "two given it": ("assign x assign", {"answers": (("ok",), ("ok",))}),
    "closed twice": ("expiry x expiry", {"hooks": ("booking.unfilled", "booking.unfilled")}),
    "sent twice": ("next wave x next wave", {"story": ("Opened", "WaveSent wave A B", "WaveSent wave C", "WaveSent wave C")}),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_no_end(lie: str) -> None:
    name, told = LIES[lie]
    right = of(name)
    assert right
    assert agrees(right[0], right[0])
    assert [view for view in right if all(getattr(view, field) == value for field, value in told.items())] == []


@pytest.mark.parametrize(
    ("name", "answers"),
    [
        ("accept x accept", {(("won",), ("lost",)), (("lost",), ("won",))}),
        ("accept x refuse", {(("won",), ("not_asked",)), (("not_asked",), ("done",))}),
        ("accept x expiry", {(("won",), ()), (("expired",), ())}),
        ("accept x take over", {(("won",), ("ok",)), (("lost",), ("ok",))}),
        ("accept x move", {(("won",), ("ok",)), (("version_conflict",), ("ok",))}),
        ("counter accepted x expiry", {(("ok",), ())}),
        ("cancel by provider x take over", {(("done",), ("ok",)), (("not_yours",), ("ok",))}),
        ("assign x expiry", {(("ok",), ())}),
    ],
)
def test_what_either_side_may_be_told_r15_r24_r35_r83(name: str, answers: set[tuple[tuple[str, ...], ...]]) -> None:
    assert {view.answers for view in of(name)} == answers


@pytest.mark.parametrize(
    ("told", "heard"),
    [
        (("proposal 1",), {("proposal 1",)}),
        (("proposal 1", "booking accepted"), {("proposal 1", "booking accepted")}),
        (("proposal 1", "withdrawn taken"), {("proposal 1", "withdrawn taken"), ("withdrawn taken",), ()}),
        (("withdrawn taken", "proposal 2"), {("withdrawn taken", "proposal 2")}),
    ],
)
def test_a_proposal_that_was_taken_back_before_it_was_written_may_be_left_out(told: tuple[str, ...], heard: set[tuple[str, ...]]) -> None:
    assert may_hear(told) == heard


def test_what_has_no_order_in_a_step_is_compared_without_one() -> None:
    story = ["Opened", "Withdrawn B taken", "Withdrawn A taken", "CounterofferClosed A withdrawn", "Cancelled client"]
    assert settled(story) == ("Opened", "Withdrawn A taken", "Withdrawn B taken", "CounterofferClosed A withdrawn", "Cancelled client")


def test_a_deadline_that_was_replaced_ends_nothing_r36() -> None:
    booking = Booking()
    booking.opened()
    assert booking.move("6") == "ok"
    booking.expiry()
    assert booking.owed == "wave"


def test_the_jitter_widens_until_both_orders_occur_and_is_centred_then() -> None:
    tally = Tally(PAIRS[0])
    for _ in range(3 * IN_VAIN):
        tally.note(0, "", crossed=True)
    assert (tally.widened, tally.lacking()) == (3, ["the other before the one"])
    assert tally.shift_ms > tally.width_ms > 8
    tally.note(1, "", crossed=True)
    width, shift = tally.width_ms, tally.shift_ms
    tally.note(0, "", crossed=True)
    assert (tally.lacking(), tally.width_ms) == ([], width)
    assert shift < tally.shift_ms <= shift + width
    for _ in range(50):
        tally.widen()
    assert tally.width_ms == WIDEST_MS

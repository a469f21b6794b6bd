"""The verbs that race, and the pairs of them: on which booking each pair meets, and who says what."""

from collections.abc import Mapping
from itertools import combinations_with_replacement
from typing import NamedTuple

VERBS = (
    "accept", "refuse", "counter accepted", "cancel by client", "cancel by provider", "move", "take over", "assign", "expiry", "next wave",
)  # fmt: skip
ZOE, YAN = "Zoe", "Yan"  # of ops
PHONE, TABLET = "phone", "tablet"  # each on a gateway of its own


class Act(NamedTuple):
    """One thing that somebody does: a method of :class:`tests.races.rules.Booking`. ``who``: the provider it is about; ``by``: his device,
    a hand of ops, or (of a move) how many hours ahead."""

    verb: str
    who: str = ""
    by: str = ""

    @property
    def arguments(self) -> tuple[str, ...]:
        """Those of the method. A device is nobody's business but the gateway's."""
        return tuple(part for part in (self.who, self.by) if part not in ("", PHONE, TABLET))


Acts = tuple[Act, ...]


class Pair(NamedTuple):
    """Two verbs that meet. ``before``: how the booking came to where they meet; ``sides``: what is said at the same moment, of a side one
    thing after the other."""

    first: str
    second: str
    before: Acts
    sides: tuple[Acts, Acts]

    @property
    def name(self) -> str:
        """As it stands in reports."""
        return f"{self.first} x {self.second}"

    @property
    def timed(self) -> tuple[str, ...]:
        """Which of the two moments it waits for."""
        return tuple(verb for verb in (self.first, self.second) if verb in TIMED)

    @property
    def by_workers(self) -> bool:
        """Whether both sides are the engine's own workers."""
        return self.first == self.second and self.first in TIMED


EXPIRY, WAVE = Act("expiry"), Act("next_wave")
TIMED = ("expiry", "next wave")
YES, NO, BACK = Act("accept", "A", PHONE), Act("refuse", "A", TABLET), Act("give_back", "A", TABLET)
OFFER, TAKE = Act("counter", "A", PHONE), Act("take_offer", "A")
CANCEL, MOVE = Act("cancel"), Act("move", "", "6")
OVER, GIVE = Act("take_over", "", ZOE), Act("assign", "A", ZOE)

# Where the two meet, when it is not a search with everybody asked; and what they say, when it is not the usual word of that verb.
USUAL: Mapping[str, Acts] = {
    "accept": (YES,), "refuse": (NO,), "counter accepted": (TAKE,), "cancel by client": (CANCEL,), "cancel by provider": (BACK,),
    "move": (MOVE,), "take over": (OVER,), "assign": (GIVE,), "expiry": (EXPIRY,), "next wave": (WAVE,),
}  # fmt: skip
HELD, TAKEN, OFFERED = (YES,), (OVER,), (OFFER,)
BEFORE: Mapping[tuple[str, str], Acts] = {
    ("refuse", "cancel by provider"): HELD,
    ("counter accepted", "counter accepted"): (OFFER, Act("counter", "B", PHONE)),
    ("cancel by client", "cancel by provider"): HELD,
    ("cancel by client", "move"): HELD,
    ("cancel by client", "take over"): HELD,
    ("cancel by provider", "cancel by provider"): HELD,
    ("cancel by provider", "move"): HELD,
    ("cancel by provider", "take over"): HELD,
    ("move", "take over"): HELD,
    **{(verb, "assign"): TAKEN for verb in VERBS if verb not in ("counter accepted", "expiry", "next wave")},
    ("assign", "expiry"): TAKEN,  # its moment raises an alarm
    **{("counter accepted", verb): OFFERED for verb in VERBS[3:]},
    **{(verb, "counter accepted"): OFFERED for verb in VERBS[:2]},
}
SAID: Mapping[tuple[str, str], tuple[Acts, Acts]] = {
    ("accept", "accept"): ((YES,), (Act("accept", "B", PHONE),)),
    ("accept", "counter accepted"): ((Act("accept", "B", PHONE),), (TAKE,)),
    ("refuse", "refuse"): ((NO,), (Act("refuse", "B", TABLET),)),
    ("counter accepted", "counter accepted"): ((TAKE,), (Act("take_offer", "B"),)),
    ("counter accepted", "assign"): ((TAKE,), (OVER, Act("assign", "B", ZOE))),
    ("cancel by provider", "cancel by provider"): ((BACK,), (Act("give_back", "A", PHONE),)),
    ("cancel by provider", "expiry"): ((YES, BACK), (EXPIRY,)),  # he takes it in the last moment, and gives it back at once
    ("cancel by provider", "next wave"): ((YES, BACK), (WAVE,)),
    ("move", "move"): ((MOVE,), (Act("move", "", "9"),)),
    ("take over", "take over"): ((OVER,), (Act("take_over", "", YAN),)),
    ("take over", "assign"): ((Act("take_over", "", YAN),), (GIVE,)),
    ("assign", "assign"): ((GIVE,), (Act("assign", "B", ZOE),)),
    ("assign", "next wave"): ((OVER, Act("assign", "C", ZOE)), (WAVE,)),
}


def _pair(first: str, second: str) -> Pair:
    said = SAID.get((first, second), (USUAL[first], USUAL[second]))
    return Pair(first, second, BEFORE.get((first, second), ()), said)


PAIRS = tuple(_pair(*verbs) for verbs in combinations_with_replacement(VERBS, 2))

"""A model beside the store: the same random commands to both, and both say the same (P1, P3, P4, P9, P12).

The model is a page of Python over the tables that the engine itself decides by; the store is the real one, functions and all. After each
command the word its sender was told and everything that is known of every booking must be equal in both.

Every run walks other ways and prints its seed: ``SEED=7`` in the environment walks those of seed 7 again, ``WORLDS=1000`` more of them.
"""

import asyncio
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from dispatch.errors import Conflict, Refused
from dispatch.lifecycle import MOVES, BookingState, Move
from dispatch.model import MarketSettings, Span
from dispatch.store import Hand, closing
from tests.store import by_hand
from tests.store.by_hand import YAN, ZOE
from tests.store.model import Model, Moves, Provider, facts
from tests.store.scene import NOON, Scene, play
from tests.store.soundness import faults

EXAMPLES, STEPS = 25, 30
CONTROLS = 16  # lots of walks that look for a move that the model lacks
MORE = max(0, int(os.environ.get("WORLDS", "200")) // 200 - 1)  # times as many again, while there is time
SEED = int(os.environ.get("SEED") or secrets.randbits(32))
LONGEST_S = 150.0  # for all of them: after that no further lot begins
NAMES = ("ada", "ben", "cleo", "dan", "eve")
CLIENTS = ("c-1", "c-2")
CHANGES: list[dict[str, Any]] = [
    {},
    {"open_proposals_cap": 1},
    {"travel_gap_s": 7_200},
    {"pause_after": 1},
    {"quiet_hours": {"from": "13:00", "to": "16:00"}},
    {"cadence": [{"class": "last_minute", "lead_under_s": None, "size": 1, "pause_s": 60}]},
]
WAITS_S = (0, 20, 60, 180, 600, 1_800, 3_600, 2 * 3_600)
LEADS_H = ((2,), (2.25,), (3,), (4,), (25,), (2.25, 4), (3, 4.5), (4.5, 3, 6.5), (4, 25), (1.9, 6.5))

any_of = st.integers(0, 1_000)
someone, a_client, yes_or_no = st.sampled_from(NAMES), st.sampled_from(CLIENTS), st.booleans()
an_agent = st.sampled_from((ZOE, ZOE, YAN))
DEEDS: dict[str, tuple[int, tuple[st.SearchStrategy[Any], ...]]] = {  # how often, and with what
    "open": (4, (st.sampled_from(LEADS_H), a_client, st.sampled_from((1, 1, 1, 1, 1, 0)))),
    "move": (2, (any_of, st.sampled_from(LEADS_H))),
    "visit": (3, (any_of, st.sampled_from(("complete", "no_show", "no_show", "late")), yes_or_no)),
    "take_over": (3, (any_of, an_agent)),
    "hand_back": (2, (any_of, an_agent)),
    "assign": (2, (any_of, someone, an_agent, yes_or_no)),
    "cancel_by_hand": (1, (any_of, an_agent)),
    "extend": (2, (any_of,)),
    "replace": (3, (any_of, st.sampled_from(((1,), (2, 3))))),
    "cancel": (4, (any_of, st.sampled_from(("client", "ops", "provider")))),
    "accept": (4, (any_of, st.sampled_from((0, 0, 0, 1)))),
    "refuse": (3, (any_of,)),
    "answer_whatever_was_asked": (3, (someone, any_of, st.sampled_from((0, 0, 0, 1)), yes_or_no)),
    "receive": (3, (someone, any_of, yes_or_no)),
    "once_more": (4, (any_of, st.sampled_from((False, False, False, True)))),
    "wait": (5, (st.sampled_from(WAITS_S), st.sampled_from((True, True, False)))),
    "close_too_early_or_again": (1, (any_of,)),
    "link": (1, (someone, yes_or_no)),
    "switch": (1, (someone, yes_or_no)),
    "employ": (1, (someone, st.sampled_from(("approved", "approved", "inactive", "pending")))),
    "keep_apart": (1, (someone, a_client, yes_or_no)),
    "bar": (1, (a_client, yes_or_no)),
    "change_settings": (1, (st.sampled_from(CHANGES),)),
}
deeds = st.sampled_from([name for name, (often, _) in DEEDS.items() for _ in range(often)]).flatmap(
    lambda name: st.tuples(st.just(name), *DEEDS[name][1])
)


class Market(RuleBasedStateMachine):
    """One market twice: each deed is a command that is given to both."""

    def __init__(self, runner: asyncio.Runner, enter: Callable[[], Any], moves: Moves = MOVES) -> None:
        super().__init__()
        self.runner, self.enter, self.moves = runner, enter, moves
        self.stack = AsyncExitStack()
        self.said: list[tuple[Callable[[], Any], Callable[[], str]]] = []  # commands that may come again
        self.taps: list[tuple[str, int, str, int, str]] = []

    # -- both at once -------------------------------------------------------------------------------------------------

    @initialize(hours=st.sampled_from((0, 0, 3)))
    def begin(self, hours: int) -> None:
        """Two bookings, of which one may have found nobody."""
        self.runner.run(self._begin())
        for client in CLIENTS:
            self.open((3, 4.5) if client == "c-2" else (3,), client)
        self.wait(hours * 3_600, True)

    @rule(deed=deeds)
    def do(self, deed: tuple[Any, ...]) -> None:
        getattr(self, deed[0])(*deed[1:])

    async def _begin(self) -> None:
        self.scene: Scene = await self.stack.enter_async_context(self.enter())
        for name in NAMES:
            await self.scene.provider(name, reachable=name != "eve")
        self.model = Model(settings=await self._settings(), now=self.scene.now, moves=self.moves)
        for name, number in self.scene.numbers.items():
            standing = await self.scene.store.providers.get(self.scene.market, name)
            self.model.people[number] = Provider(no=number, settings=standing.settings, connected=name != "eve")

    async def _settings(self) -> MarketSettings:
        return (await self.scene.desk.market(self.scene.market)).settings

    def both(self, real: Callable[[], Any], pretend: Callable[[], str]) -> None:
        """The same to both; who asked is told the same."""
        assert self.runner.run(told(real)) == pretend()

    def command(self, real: Callable[[], Any], pretend: Callable[[], str]) -> None:
        """The same, and it may come again."""
        self.said.append((real, pretend))
        self.both(real, pretend)

    @invariant()
    def everything_known_of_every_booking_is_the_same(self) -> None:
        if hasattr(self, "model") and self.model.bookings:
            records = self.runner.run(self.scene.store.bookings.records(self.scene.market, list(self.model.bookings)))
            assert [facts(record) for record in records] == [facts(booking) for booking in self.model.bookings.values()]

    def teardown(self) -> None:
        self.runner.run(self._end())

    async def _end(self) -> None:
        async with self.stack:
            if hasattr(self, "model"):
                assert await faults(self.scene.store, self.scene.market, self.scene.redis_url) == []

    # -- the booking service ------------------------------------------------------------------------------------------

    def open(self, leads: tuple[float, ...], client: str, new: int = 1) -> None:
        booking_id = f"b-{len(self.model.ids) + new}"  # an old one: a duplicate
        request, rid = self.scene.request(booking_id, leads=leads, client_id=client), self.scene.fresh("open")

        async def real() -> str:
            await self.scene.desk.open(self.scene.market, request, rid, False)
            return "opened"

        self.command(real, lambda: self.model.open(rid, request))

    def cancel(self, which: int, by: str) -> None:
        self._cancel(self._booking(which), by)

    def _cancel(self, bno: int, by: str) -> None:
        rid = self.scene.fresh("cancel")
        self.command(lambda: self.scene.cancel(f"b-{bno}", by=by, rid=rid), lambda: self.model.cancel(bno, by, rid))

    def move(self, which: int, leads: tuple[float, ...]) -> None:
        bno, rid, windows = self._booking(which), self.scene.fresh("move"), self._windows(leads)
        now = self.scene.now

        async def real() -> str:
            return await self.scene.move(f"b-{bno}", rid=rid, now=now, leads=leads)

        self.command(real, lambda: self.model.move(bno, rid, windows))

    def replace(self, which: int, leads: tuple[float, ...]) -> None:
        bno, rid, windows = self._held(which), self.scene.fresh("again"), self._windows(leads)
        now = self.scene.now

        async def real() -> str:
            return await self.scene.search_again(f"b-{bno}", rid=rid, now=now, leads=leads)

        self.command(real, lambda: self.model.search_again(bno, rid, windows))

    def _windows(self, leads: tuple[float, ...]) -> tuple[Span, ...]:
        starts = [self.scene.now + round(lead * 3_600_000) for lead in leads]
        return tuple(Span(start, start + 3_600_000) for start in starts)

    def visit(self, which: int, kind: str, begun: bool) -> None:
        """What became of a visit; mostly it has begun."""
        bno, rid = self._held(which), self.scene.fresh(kind)
        b = self.model.bookings[bno]
        if begun and b.state == "accepted" and b.window is not None:
            self.wait(max(0, b.windows[b.window].start + 400_000 - self.model.now) // 1_000, True)
        self.command(lambda: getattr(self.scene, kind)(f"b-{bno}", rid=rid), lambda: self.model.fact(kind, bno, rid))

    def _held(self, which: int) -> int:
        """Mostly one that somebody holds, or did not come to."""
        found = [b.no for b in self.model.bookings.values() if b.state in ("accepted", "no_show")]
        return found[which % len(found)] if found and which % 5 else self._booking(which)

    # -- ops ----------------------------------------------------------------------------------------------------------

    def take_over(self, which: int, agent: Hand) -> None:
        bno, rid = self._booking(which), self.scene.fresh("take")

        async def real() -> str:
            try:
                return str((await by_hand.take_over(self.scene, f"b-{bno}", agent, rid))["state"])
            except Conflict as no:
                return "taken_over by another" if no.code == "taken_over" else no.code

        self.command(real, lambda: self.model.take_over(bno, agent.key, rid))

    def hand_back(self, which: int, agent: Hand) -> None:
        bno, rid = self._taken(which), self.scene.fresh("back")

        async def real() -> str:
            return await by_hand.hand_back(self.scene, f"b-{bno}", agent, rid=rid)

        self.command(real, lambda: self.model.hand_back(bno, agent.key, rid))

    def assign(self, which: int, who: str, agent: Hand, override: bool) -> None:
        bno = self._taken(which)
        more: Any = {"override": {"reason": "by phone"}} if override else {}

        async def real() -> str:
            return str((await by_hand.assign(self.scene, who, f"b-{bno}", agent, **more))["state"])

        self.both(real, lambda: self.model.assign(bno, self.scene.numbers[who], agent.key, override))

    def cancel_by_hand(self, which: int, agent: Hand) -> None:
        bno, rid = self._taken(which), self.scene.fresh("cancel")
        real = lambda: self.scene.cancel(f"b-{bno}", by="ops", rid=rid, hand=agent)  # noqa: E731
        self.command(real, lambda: self.model.cancel(bno, "ops", rid, agent.key))

    def extend(self, which: int) -> None:
        found = self._of_state("unfilled")
        bno, rid = found[which % len(found)] if found else self._booking(which), self.scene.fresh("extend")

        async def real() -> str:
            return str((await by_hand.extend(self.scene, f"b-{bno}", rid=rid))["state"])

        self.command(real, lambda: self.model.extend(bno, rid))

    def _taken(self, which: int) -> int:
        """Mostly one that ops have."""
        found = self._of_state("taken_over")
        return found[which % len(found)] if found and which % 7 else self._booking(which)

    # -- providers ----------------------------------------------------------------------------------------------------

    def accept(self, which: int, window: int) -> None:
        if holder := self._holder(which):
            self._accept(*holder, window=window)

    def refuse(self, which: int) -> None:
        if holder := self._holder(which):
            self._refuse(*holder)

    def answer_whatever_was_asked(self, who: str, which: int, newer: int, yes: bool) -> None:
        (self._accept if yes else self._refuse)(who, self._booking(which), newer=newer)

    def _accept(self, who: str, bno: int, window: int = 0, newer: int = 0) -> None:
        id_, version, proposal = (
            self.scene.fresh("tap"),
            self.model.bookings[bno].version + newer,
            self._proposal(bno, self.scene.numbers[who]),
        )
        self.taps.append((who, bno, id_, version, proposal))
        self.command(lambda: self._yes(who, proposal, id_, version, window), lambda: self._pretended_yes(who, bno, id_, version, window))

    def _proposal(self, bno: int, number: int) -> str:
        p = self.model.bookings[bno].proposals.get(number)
        return f"{bno}.{p.round if p else 1}.{number}"

    async def _yes(self, who: str, proposal: str, id_: str, version: int, window: int) -> str:
        answer = await self.scene.store.claims.accept(self.scene.market, self.scene.numbers[who], id_, proposal, version, window)
        return str(answer["outcome"])

    def _pretended_yes(self, who: str, bno: int, id_: str, version: int, window: int) -> str:
        return self.model.accept(self.scene.numbers[who], id_, bno, version, window)

    def _refuse(self, who: str, bno: int, newer: int = 0) -> None:
        number, id_, version = self.scene.numbers[who], self.scene.fresh("no"), self.model.bookings[bno].version + newer
        proposal = self._proposal(bno, number)

        async def real() -> str:
            answer = await self.scene.store.claims.refuse(self.scene.market, number, id_, proposal, version)
            return str(answer["outcome"])

        self.command(real, lambda: self.model.refuse(number, id_, bno, version))

    def receive(self, who: str, which: int, seen: bool) -> None:
        number, bno = self.scene.numbers[who], self._booking(which)
        proposal = self._proposal(bno, number)

        async def real() -> str:
            await self.scene.store.claims.receipts(self.scene.market, [(number, [proposal], [proposal] if seen else [])])
            return "done"

        self.both(real, lambda: self.model.receive(number, bno, seen))

    def once_more(self, which: int, changed: bool) -> None:
        if changed and self.taps:
            who, bno, id_, version, proposal = self.taps[which % len(self.taps)]
            self.both(lambda: self._yes(who, proposal, id_, version + 7, 0), lambda: self._pretended_yes(who, bno, id_, version + 7, 0))
        else:
            self.both(*self.said[which % len(self.said)])

    # -- time ---------------------------------------------------------------------------------------------------------

    def wait(self, seconds: int, looks: bool) -> None:
        self.runner.run(self.scene.later(seconds=seconds))
        self.model.now = self.scene.now
        if looks:
            self.runner.run(self.scene.settle())
            self.model.settle()

    def close_too_early_or_again(self, which: int) -> None:
        bno = self._booking(which)
        if self.model.bookings[bno].state == "searching" and self.model.bookings[bno].deadline <= self.model.now:
            return

        async def real() -> str:
            record = await self.scene.record(f"b-{bno}")
            return str((await self.scene.take(closing(bno, record.rev)))["word"])

        self.both(real, lambda: self.model.close_early(bno))

    # -- what else may change -----------------------------------------------------------------------------------------

    def link(self, who: str, up: bool) -> None:
        self.runner.run((self.scene.connect if up else self.scene.disconnect)(who))
        self.model.people[self.scene.numbers[who]].connected = up

    def switch(self, who: str, available: bool) -> None:
        number = self.scene.numbers[who]
        self.runner.run(self.scene.store.links.status(self.scene.market, number, available, None, "phone"))
        self.model.people[number].available = available
        self.model.people[number].acts()

    def employ(self, who: str, status: str) -> None:
        async def real() -> str:
            await self.scene.provider(who, reachable=False, status=status)
            return status

        number = self.scene.numbers[who]
        self.both(real, lambda: self.model.employ(number, msgspec.structs.replace(self.model.people[number].settings, status=status)))

    def keep_apart(self, who: str, client: str, on: bool) -> None:
        change = self.scene.desk.put_provider_block if on else self.scene.desk.delete_provider_block

        async def real() -> str:
            await change(self.scene.market, who, client)
            return "on" if on else "off"

        self.both(real, lambda: self.model.keep_apart(self.scene.numbers[who], client, on))

    def bar(self, client: str, on: bool) -> None:
        async def real() -> str:
            desk, market = self.scene.desk, self.scene.market
            await (desk.put_block(market, client, "rude") if on else desk.delete_block(market, client))
            return "on" if on else "off"

        self.both(real, lambda: self.model.bar(client, on))

    def change_settings(self, changes: dict[str, Any]) -> None:
        if "open_proposals_cap" in changes:  # nobody is over a cap for having been asked before it was lowered
            changes = {"open_proposals_cap": max(1, *map(self.model.live, self.model.people))}
        self.runner.run(self.scene.settings(**changes))
        self.model.settings = self.runner.run(self._settings())

    # -- whom and what ------------------------------------------------------------------------------------------------

    def _booking(self, which: int) -> int:
        """One of any state that some booking has, however few they are."""
        states = sorted({b.state for b in self.model.bookings.values()})
        found = self._of_state(states[which % len(states)])
        return found[which // len(states) % len(found)]

    def _of_state(self, state: str) -> list[int]:
        return [b.no for b in self.model.bookings.values() if b.state == state]

    def _holder(self, which: int) -> tuple[str, int] | None:
        """Somebody who holds an open proposal, and the booking."""
        names = {number: name for name, number in self.scene.numbers.items()}
        found = [(names[pno], b.no) for b in self.model.bookings.values() for pno, p in b.proposals.items() if p.state == "open"]
        return found[which % len(found)] if found else None


async def told(call: Callable[[], Any]) -> str:
    """What the sender of a command is told, in a word."""
    try:
        return str(await call())
    except Refused as error:
        return error.code


@pytest.fixture
def market_of(redis_url: str, fresh_market: Callable[[], str], tmp_path: Path) -> Iterator[Callable[[Moves], Market]]:
    """Makes a market and its model, which goes by these moves."""
    with asyncio.Runner() as runner:
        yield lambda moves: Market(runner, lambda: play(redis_url, fresh_market(), tmp_path, moment=NOON), moves)


def explore(make: Callable[[], Market], examples: int, chosen: int) -> None:
    """Walks of a seed. What goes wrong is shown as it came: a shorter way there would take long to find."""
    walking = settings(
        max_examples=examples,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(seed(chosen)(make), settings=walking)


@pytest.mark.timeout(600)
def test_the_store_and_its_model_say_the_same_whatever_is_asked_of_them_p9_p12(market_of: Callable[[Moves], Market]) -> None:
    begun, lots = time.monotonic(), 0
    print(f"\nSEED={SEED}: walks of the model, {EXAMPLES} a lot")  # pytest shows it when a walk fails
    while lots == 0 or (lots <= MORE and time.monotonic() - begun < LONGEST_S):
        explore(lambda: market_of(MOVES), EXAMPLES, SEED + lots)
        lots += 1
    print(f"{lots} of {1 + MORE} lots in {time.monotonic() - begun:.0f} s")


@pytest.mark.parametrize("chosen", [1, 2**32])
def test_a_seed_walks_the_same_way_again_and_another_one_another(chosen: int) -> None:
    """Without a store: what matters is which deeds are drawn."""
    assert drawn(chosen) == drawn(chosen)
    assert drawn(chosen) != drawn(chosen + 1)


def drawn(chosen: int) -> list[tuple[Any, ...]]:
    """The deeds of three walks."""
    found: list[tuple[Any, ...]] = []

    class Walk(RuleBasedStateMachine):
        @rule(deed=deeds)
        def do(self, deed: tuple[Any, ...]) -> None:
            found.append(deed)

    explore(lambda: Walk(), 3, chosen)  # type: ignore[arg-type, return-value]
    return found


def without(state: BookingState, move: Move) -> Moves:
    """The table of moves, but for one."""
    return {**MOVES, state: {name: to for name, to in MOVES[state].items() if name != move}}


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("state", "move"), [(state, move) for state, row in MOVES.items() for move in row], ids=lambda one: one.value)
def test_a_model_that_lacks_one_move_is_found_out(market_of: Callable[[Moves], Market], state: BookingState, move: Move) -> None:
    """The control. It ends with the first walk that finds it; some moves are made in one walk of fifty only."""

    def search() -> None:
        for chosen in range(CONTROLS):
            explore(lambda: market_of(without(state, move)), EXAMPLES, chosen)

    with pytest.raises(AssertionError):
        search()

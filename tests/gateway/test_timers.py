"""One timer for many: called in time, once, in order, and never for a moment that was moved."""

from dataclasses import dataclass, field

import anyio
from hypothesis import given
from hypothesis import strategies as st

from dispatch.gateway.limits import NEVER
from dispatch.gateway.timers import Timers


@dataclass
class Thing:
    """Rings at each of its moments; notes when it did."""

    moments: list[int]
    rung: list[int] = field(default_factory=list)
    armed: int = NEVER

    def ring(self, now: int) -> int:
        self.rung.append(now)
        self.moments = [moment for moment in self.moments if moment > now]
        return min(self.moments, default=NEVER)


def test_a_thing_is_called_when_it_is_due_and_not_before() -> None:
    timers, thing = Timers(lambda: 0), Thing([10, 20])
    timers.arm(thing, 10)
    for now in range(30):
        timers.fire(now)
    assert thing.rung == [10, 20]


def test_an_earlier_moment_replaces_a_later_one() -> None:
    timers, thing = Timers(lambda: 0), Thing([5])
    timers.arm(thing, 100)
    timers.arm(thing, 5)
    timers.arm(thing, 50)
    for now in (4, 5, 50, 100):
        timers.fire(now)
    assert thing.rung == [5]


def test_at_most_so_many_are_called_at_once() -> None:
    timers, things = Timers(lambda: 0), [Thing([1]) for _ in range(10)]
    for thing in things:
        timers.arm(thing, 1)
    assert timers.fire(1, at_most=4)
    assert sum(len(thing.rung) for thing in things) == 4
    assert timers.fire(1, at_most=6)
    assert not timers.fire(1)
    assert sum(len(thing.rung) for thing in things) == 10


@given(st.lists(st.lists(st.integers(1, 100), min_size=1, max_size=5, unique=True), max_size=20))
def test_everybody_is_called_at_each_of_his_moments(moments: list[list[int]]) -> None:
    timers, things = Timers(lambda: 0), [Thing(list(each)) for each in moments]
    for thing in things:
        timers.arm(thing, min(thing.moments))
    for now in range(101):
        while timers.fire(now):
            pass
    assert [thing.rung for thing in things] == [sorted(each) for each in moments]


async def test_a_sleeping_timer_wakes_for_an_earlier_moment() -> None:
    now, called = 0, anyio.Event()

    class Caller:
        armed = NEVER

        def ring(self, _: int) -> int:
            called.set()
            return NEVER

    timers = Timers(lambda: now)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(timers.run)
        await anyio.lowlevel.checkpoint()
        timers.arm(Caller(), 10**6)
        await anyio.lowlevel.checkpoint()
        now = 500
        timers.arm(Caller(), 500)
        with anyio.fail_after(0.9):  # less than the longest sleep
            await called.wait()
        tasks.cancel_scope.cancel()

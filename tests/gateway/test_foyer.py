"""Everybody at once: who has said hello comes in before who knocks, nobody waits for the silent, and the line has an end."""

from typing import Any, cast

import anyio
import pytest
from websockets.asyncio.server import ServerConnection

from dispatch.gateway.foyer import Foyer
from dispatch.gateway.limits import Limits
from dispatch.messages import Hello
from dispatch.store import Store
from tests.gateway.gate import gate

PATIENCE_S = 20


class Knocking:
    """A socket of which nothing is known yet; it can be cut off."""

    def __init__(self) -> None:
        self.transport, self.cut = self, False

    def abort(self) -> None:
        self.cut = True


async def test_who_knocks_waits_while_others_are_greeted_and_comes_in_order() -> None:
    foyer, came = Foyer(Limits(entering=1)), list[int]()

    async def knock(number: int) -> None:
        async def handle(_: Any) -> None:
            came.append(number)

        await foyer.knock(handle, cast("ServerConnection", Knocking()))

    async with anyio.create_task_group() as tasks, foyer.greeting():
        for number in range(3):
            tasks.start_soon(knock, number)
        await until(foyer, 3)
        await anyio.wait_all_tasks_blocked()
        assert came == []
    assert (came, foyer.knocking) == ([0, 1, 2], 0)


async def test_who_finds_the_line_too_long_is_cut_off_at_once() -> None:
    foyer, handled = Foyer(Limits(entering=1, knocking=1)), list[Any]()

    async def handle(connection: Any) -> None:
        handled.append(connection)

    first, second = Knocking(), Knocking()
    async with anyio.create_task_group() as tasks, foyer.greeting():
        tasks.start_soon(foyer.knock, handle, first)
        await until(foyer, 1)
        await foyer.knock(handle, cast("ServerConnection", second))
        assert (second.cut, handled) == (True, [second])
    assert (first.cut, handled) == (False, [second, first])


async def until(foyer: Foyer, knocking: int) -> None:
    with anyio.fail_after(PATIENCE_S):
        while foyer.knocking < knocking:
            await anyio.lowlevel.checkpoint()


async def test_who_has_come_in_and_says_nothing_keeps_nobody_out(store: Store, market: str) -> None:
    async with gate(store, market, Limits(entering=1)) as running:
        await running.provider()
        async with running.socket(), running.socket(), running.device() as (_, heard):
            assert heard[-1].__struct_config__.tag == "live"


@pytest.mark.parametrize("number", [None, 7_000_000])
async def test_a_token_that_does_not_know_its_providers_number_or_a_wrong_one(store: Store, market: str, number: int | None) -> None:
    """The first asks the store once more; the second is nobody's: numbers of another store open nothing here."""
    async with gate(store, market) as running:
        await running.provider()
        token = running.keys.issue(market, "p-1", "phone", 60, number=number)[0]
        async with running.socket() as bare:
            await bare.say(Hello(token=token, device="phone"))
            if number is None:
                await bare.hear_until("live")
            else:
                assert (await bare.end())[0] == 4500


async def test_a_token_with_anothers_number_is_nobodys(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider("p-1")
        await running.provider("p-2")
        other = await store.providers.number(market, "p-2")
        token = running.keys.issue(market, "p-1", "phone", 60, number=other)[0]
        async with running.socket() as bare:
            await bare.say(Hello(token=token, device="phone"))
            assert (await bare.end())[0] == 4500
        assert (await store.providers.get(market, "p-2")).devices == 0

"""Neither side blocks the other (R2): either may, and only who did takes it back; what is open between them is taken back at once."""

import pytest

from dispatch.errors import NotFound
from tests.store.scene import Scene

SIDES = ["provider", "client"]


@pytest.mark.proves("R2.h")
@pytest.mark.parametrize("by", SIDES)
async def test_either_side_keeps_both_apart_r2(scene: Scene, by: str) -> None:
    assert await scene.desk.put_provider_block(scene.market, "ada", "c-1", by) is True
    assert await scene.desk.put_provider_block(scene.market, "ada", "c-1", by) is False
    assert await scene.candidates() == ["ben", "cleo", "dan"]
    assert await scene.candidates(client_id="c-2") == ["ada", "ben", "cleo", "dan"]  # nobody else is concerned
    await scene.open()
    assert "ada" not in await scene.states()
    await scene.desk.delete_provider_block(scene.market, "ada", "c-1", by)
    assert (await scene.candidates())[0] == "ada"


@pytest.mark.proves("R2.h")
@pytest.mark.parametrize(("first", "second"), [SIDES, SIDES[::-1]])
async def test_they_stay_apart_until_the_last_one_wants_it_no_more_r2(scene: Scene, first: str, second: str) -> None:
    assert await scene.desk.put_provider_block(scene.market, "ada", "c-1", first) is True
    assert await scene.desk.put_provider_block(scene.market, "ada", "c-1", second) is True
    await scene.desk.delete_provider_block(scene.market, "ada", "c-1", first)
    assert "ada" not in await scene.candidates()
    with pytest.raises(NotFound, match=f"by the {first}"):
        await scene.desk.delete_provider_block(scene.market, "ada", "c-1", first)
    await scene.desk.delete_provider_block(scene.market, "ada", "c-1", second)
    assert "ada" in await scene.candidates()


async def test_a_side_that_did_not_block_has_nothing_to_take_back_r2(scene: Scene) -> None:
    await scene.desk.put_provider_block(scene.market, "ada", "c-1", "client")
    with pytest.raises(NotFound):
        await scene.desk.delete_provider_block(scene.market, "ada", "c-1", "provider")
    assert "ada" not in await scene.candidates()


@pytest.mark.parametrize("by", SIDES)
async def test_what_is_open_between_them_is_taken_back_and_the_seat_goes_to_the_next_r2(scene: Scene, by: str) -> None:
    await scene.open()
    await scene.open("b-2", client_id="c-2", lead=8)
    await scene.desk.put_provider_block(scene.market, "ada", "c-1", by)
    assert (await scene.states())["ada"] == "withdrawn ops"
    assert (await scene.states("b-2"))["ada"] == "open"  # of another client
    assert "withdrawn ops" in await scene.heard("ada")
    assert await scene.accept("ada") == "not_asked"
    for name in ("ben", "cleo"):
        await scene.refuse(name)
    await scene.settle()
    assert (await scene.states())["dan"] == "open"


@pytest.mark.parametrize("by", SIDES)
async def test_a_visit_that_is_agreed_stays_agreed_r2(scene: Scene, by: str) -> None:
    """A block is about who is asked; what was won is cancelled by its own call."""
    await scene.open()
    assert await scene.accept("ada") == "won"
    await scene.desk.put_provider_block(scene.market, "ada", "c-1", by)
    assert (await scene.record()).state == "accepted"


async def test_the_log_tells_which_side_it_was_r2(scene: Scene) -> None:
    for by in SIDES:
        await scene.desk.put_provider_block(scene.market, "ada", "c-1", by)
        await scene.desk.delete_provider_block(scene.market, "ada", "c-1", by)
    told = [event for _, event in await scene.store.gauges.tail(scene.market, 4)]
    assert [(event["type"], event["by"]) for event in told] == [
        ("Blocked", "provider"), ("Unblocked", "provider"), ("Blocked", "client"), ("Unblocked", "client"),
    ]  # fmt: skip


async def test_a_block_of_an_older_version_is_the_providers_r2(scene: Scene) -> None:
    await scene.desk.put_provider_block(scene.market, "ada", "c-1")
    client = await scene.store.bookings.client_number(scene.market, "c-1")
    await scene.redis.delete(f"{{{scene.market}}}:bks:{client}")
    await scene.desk.delete_provider_block(scene.market, "ada", "c-1")
    assert "ada" in await scene.candidates()

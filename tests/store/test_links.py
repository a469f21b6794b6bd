"""Links: who is reachable, through which gateway, and what becomes of those whose gateway died (R2, R14; P8)."""

from typing import Any

import msgspec
import pytest

from dispatch.engine.upkeep import SILENT_MS, Upkeep
from dispatch.store.calls import wall_ms
from dispatch.store.links import DEVICES, Linked
from tests.store.scene import GATEWAY, Scene
from tests.store.soundness import faults


async def reachable(scene: Scene, name: str) -> bool:
    return bool((await scene.desk.provider(scene.market, name))["reachable"])


@pytest.mark.proves("R2.i", "R14.a")
async def test_a_socket_makes_a_provider_reachable_and_its_end_ends_that_r2_r14(scene: Scene) -> None:
    await scene.provider("eve", reachable=False)
    assert "eve" not in await scene.candidates()
    await scene.connect("eve")
    assert "eve" in await scene.candidates()
    await scene.disconnect("eve")
    assert "eve" not in await scene.candidates()
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_one_of_two_sockets_is_enough(scene: Scene) -> None:
    await scene.connect("ada", "tablet", "gw-2", 7)
    await scene.disconnect("ada")
    assert await reachable(scene, "ada")
    await scene.disconnect("ada", "tablet", "gw-2", 7)
    assert not await reachable(scene, "ada")
    assert await faults(scene.store, scene.market, scene.redis_url) == []


@pytest.mark.proves("R2.i", "R14.a")
async def test_a_push_address_keeps_him_reachable_without_a_socket_r14(scene: Scene) -> None:
    await scene.store.links.connect(scene.market, scene.numbers["ada"], "phone", GATEWAY, 2, push=b"address")
    await scene.disconnect("ada", conn=2)
    assert "ada" in await scene.candidates()
    assert await faults(scene.store, scene.market, scene.redis_url) == []


@pytest.mark.parametrize(
    ("device", "gateway", "conn"), [("phone", GATEWAY, 99), ("phone", "gw-2", 1), ("tablet", GATEWAY, 1), ("phone", "gw-scene|1", 1)]
)
async def test_a_farewell_from_a_socket_that_was_replaced_changes_nothing_p8(scene: Scene, device: str, gateway: str, conn: int) -> None:
    await scene.disconnect("ada", device, gateway, conn)
    assert await reachable(scene, "ada")
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_a_newer_socket_of_a_device_replaces_the_older_whose_gateway_is_told(scene: Scene) -> None:
    async with scene.store.wakeups("gw-1") as wakeups, scene.listening(wakeups) as heard:
        await scene.connect("ada", "phone", "gw-1", 5)
        linked = await scene.store.links.connect(scene.market, scene.numbers["ada"], "phone", "gw-2", 6)
        assert (linked.replaced, linked.devices) == (("gw-1", 5), 1)
        wake = await heard()
    assert (wake.market, wake.closes, wake.frames, wake.lost) == (scene.market, [(scene.numbers["ada"], 5)], [], False)
    await scene.disconnect("ada", "phone", "gw-1", 5)  # its farewell comes late
    assert await reachable(scene, "ada")


async def test_a_wake_up_brings_each_message_of_whoever_is_there(scene: Scene) -> None:
    """Once to a gateway, however many of his devices it has; in the bytes that his inbox holds."""
    async with scene.store.wakeups("gw-1") as wakeups, scene.listening(wakeups) as heard:
        await scene.connect("ada", "phone", "gw-1", 5)
        await scene.connect("ada", "tablet", "gw-1", 6)
        await scene.connect("ben", "phone", "gw-1", 7)
        await scene.open()
        await scene.accept("ada")
        brought = (await heard()).frames + (await heard()).frames
    numbers = [scene.numbers["ada"], scene.numbers["ben"]]
    kept = await scene.store.inbox.missed([(scene.market, no, 0) for no in numbers])
    assert [[data for no, data in brought if no == one] for one in numbers] == [[data for _, data in inbox] for inbox in kept]


async def test_the_same_socket_entered_again_closes_nobody(scene: Scene) -> None:
    async with scene.store.wakeups(GATEWAY) as wakeups, scene.listening(wakeups) as heard:
        await scene.connect("ada")
        await scene.open()
        assert (await heard()).closes == []


async def test_a_provider_has_five_devices_and_a_sixth_is_refused(scene: Scene) -> None:
    for number in range(DEVICES - 1):
        await scene.connect("ada", f"d-{number}", conn=10 + number)
    refused = await scene.store.links.connect(scene.market, scene.numbers["ada"], "sixth", GATEWAY, 20)
    assert (refused.allowed, refused.devices) == (False, DEVICES)
    again = await scene.store.links.connect(scene.market, scene.numbers["ada"], "d-0", GATEWAY, 21)
    assert again.allowed
    await scene.disconnect("ada", "d-1", conn=11)
    assert (await scene.store.links.connect(scene.market, scene.numbers["ada"], "sixth", GATEWAY, 22)).allowed


async def test_nobody_connects_who_is_not_known(scene: Scene) -> None:
    assert not (await scene.store.links.connect(scene.market, 99, "phone", GATEWAY, 1)).allowed
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_a_link_tells_where_his_stream_stands_p8(scene: Scene) -> None:
    await scene.open()
    linked = await scene.store.links.connect(scene.market, scene.numbers["ada"], "tablet", GATEWAY, 2)
    known = await scene.store.inbox.open_items(scene.market, scene.numbers["ada"])
    assert (linked.seq, linked.epoch, linked.devices) == (1, known.epoch, 2)


# -- switching oneself on and off -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("said", "asked"), [([False], False), ([False, True], True), ([False, None], False), ([None], True)])
async def test_a_provider_switches_himself_on_and_off(scene: Scene, said: list[bool | None], asked: bool) -> None:
    for available in said:
        await scene.store.links.status(scene.market, scene.numbers["ada"], available, None, "phone")
    assert ("ada" in await scene.candidates()) is asked
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_a_sign_of_life_ends_a_pause_r40(scene: Scene) -> None:
    ada = scene.numbers["ada"]
    await scene.redis.hset(f"{{{scene.market}}}:p:{ada}", mapping={"paused": 1, "unanswered": 4})
    await scene.store.links.status(scene.market, ada, None, True, "phone")
    assert not (await scene.desk.provider(scene.market, "ada"))["paused"]
    assert await scene.redis.hget(f"{{{scene.market}}}:l:{ada}", "phone") == f"{GATEWAY}|1|1|1".encode()
    await scene.store.links.status(scene.market, ada, None, False, "phone")
    assert await scene.redis.hget(f"{{{scene.market}}}:l:{ada}", "phone") == f"{GATEWAY}|1|0|1".encode()


@pytest.mark.proves("R2.j", "R40.b")
async def test_one_who_is_paused_is_not_asked_until_he_gives_a_sign_of_life_r2_r40(scene: Scene) -> None:
    ada = scene.numbers["ada"]
    await scene.redis.hset(f"{{{scene.market}}}:p:{ada}", "paused", 1)
    await scene.connect("ada", device="tablet")  # whatever happens to him, his pause binds
    assert "ada" not in await scene.candidates()
    assert await faults(scene.store, scene.market, scene.redis_url) == []
    await scene.store.links.status(scene.market, ada, None, None, "phone")
    assert "ada" in await scene.candidates()


async def test_whoever_switches_off_keeps_what_he_was_asked_and_may_accept_it(scene: Scene) -> None:
    await scene.open()
    await scene.store.links.status(scene.market, scene.numbers["ada"], False, None, "phone")
    assert await scene.accept("ada") == "won"


# -- gateways that leave, and gateways that die -----------------------------------------------------------------------


async def test_a_gateway_that_stops_takes_its_links_with_it(scene: Scene) -> None:
    await scene.connect("ada", "tablet", "gw-2", 3)
    await scene.store.links.gateway_gone(GATEWAY, [scene.market])
    assert [await reachable(scene, name) for name in ("ada", "ben", "cleo", "dan")] == [True, False, False, False]
    assert await faults(scene.store, scene.market, scene.redis_url) == []
    assert await scene.gateways() == {"gw-2"}


async def test_a_dead_gateway_is_reaped_and_one_that_beats_is_not_r14(scene: Scene) -> None:
    await scene.connect("ada", "tablet", "gw-2", 3)
    await scene.beat(GATEWAY, wall_ms() - SILENT_MS - 1)
    await scene.beat("gw-2", wall_ms())
    await Upkeep(scene.store).reap()
    assert [await reachable(scene, name) for name in ("ada", "ben")] == [True, False]
    assert await scene.gateways() == {"gw-2"}
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_a_gateway_that_dies_before_its_first_beat_is_reaped_too_r14(scene: Scene) -> None:
    """It never said that it lives: its links alone tell of it."""
    await scene.store.links.gateway_gone(GATEWAY, [scene.market])
    await scene.connect("ada", "phone", "gw-short", 1)
    assert await scene.gateways() == {"gw-short"}
    await scene.redis.zadd(f"{{{scene.market}}}:gateways", {"gw-short": wall_ms() - SILENT_MS - 1})
    await Upkeep(scene.store).reap()
    assert not await reachable(scene, "ada")


async def test_a_gateway_that_comes_back_while_it_is_being_reaped_keeps_its_links(scene: Scene) -> None:
    await scene.beat(GATEWAY, wall_ms() - SILENT_MS - 1)
    assert await scene.store.links.silent_gateways(scene.market, SILENT_MS) == [GATEWAY]
    await scene.store.links.gateway_alive(GATEWAY, [scene.market])
    await scene.store.links.gateway_gone(GATEWAY, [scene.market], SILENT_MS)
    assert await reachable(scene, "ada")


async def test_a_dead_gateway_with_many_providers_is_reaped_in_slices(scene: Scene) -> None:
    lines = (
        msgspec.json.encode({"provider_id": f"p-{n}", "name": "x", "trade": "hair", "catalogue": ["cut"], "hours": "24/7", "zone": ZONE})
        for n in range(450)
    )
    await scene.desk.import_providers(scene.market, _stream(lines), False)
    first = await scene.store.providers.number(scene.market, "p-0")
    assert first is not None
    for pno in range(5, 455):
        await scene.store.links.connect(scene.market, pno, "phone", "gw-big", pno)
    assert await scene.gauge("providers.online") == 454
    await scene.store.links.gateway_gone("gw-big", [scene.market])
    assert await scene.gauge("providers.online") == 4


ZONE = {"type": "circle", "lat": 48.86, "lng": 2.34, "radius_km": 6}


async def _stream(lines: Any) -> Any:
    for line in lines:
        yield line


@pytest.mark.proves("R14.a")
async def test_whoever_was_not_reached_is_asked_when_he_is_back_r14(scene: Scene) -> None:
    for name in scene.numbers:
        await scene.disconnect(name)
    await scene.open()
    assert await scene.states() == {}
    await scene.connect("cleo")
    await scene.later(minutes=3)
    await scene.settle()
    assert await scene.states() == {"cleo": "open"}


# -- generations ------------------------------------------------------------------------------------------------------


async def entered(scene: Scene, gateway: str, conn: int, again: tuple[str, int] | None = None, device: str = "phone") -> Linked:
    return await scene.store.links.connect(scene.market, scene.numbers["ada"], device, gateway, conn, again=again)


async def link_of(scene: Scene, device: str = "phone") -> bytes:
    return bytes(await scene.redis.hget(f"{{{scene.market}}}:l:{scene.numbers['ada']}", device))


async def test_every_socket_of_a_provider_is_younger_than_those_before_p8(scene: Scene) -> None:
    generations = [(await entered(scene, "gw-1", conn, device=device)).generation for conn, device in enumerate(("a", "b", "a", "b"), 5)]
    assert generations == sorted(set(generations))


async def test_a_gateway_that_was_away_does_not_take_a_device_back_from_a_newer_socket_p8(scene: Scene) -> None:
    older = await entered(scene, "gw-1", 5)
    newer = await entered(scene, "gw-2", 6)
    async with scene.store.wakeups("gw-2") as wakeups, scene.listening(wakeups) as heard:
        again = await entered(scene, "gw-1", 5, (older.epoch, older.generation))
        assert (again.generation, again.epoch) == (0, older.epoch)
        assert await link_of(scene) == f"gw-2|6|0|{newer.generation}".encode()
        await scene.open()
        assert (await heard()).closes == []  # nobody told the newer one to go
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_a_socket_that_was_taken_off_by_mistake_keeps_its_generation_p8(scene: Scene) -> None:
    older = await entered(scene, "gw-1", 5)
    await scene.store.links.gateway_gone("gw-1", [scene.market])
    again = await entered(scene, "gw-1", 5, (older.epoch, older.generation))
    assert again.generation == older.generation
    assert await reachable(scene, "ada")
    assert (await entered(scene, "gw-2", 6)).generation > older.generation


async def test_a_store_that_forgot_the_last_second_counts_on_from_what_it_is_told_p8(scene: Scene) -> None:
    known = (await scene.store.inbox.open_items(scene.market, scene.numbers["ada"])).epoch
    assert (await entered(scene, "gw-1", 5, (known, 40))).generation == 40
    assert (await entered(scene, "gw-2", 6)).generation == 41


async def test_a_link_of_another_store_is_not_entered_again_p8(scene: Scene) -> None:
    before = await link_of(scene)
    again = await entered(scene, "gw-1", 5, ("restored", 7))
    assert again.generation == 0
    assert again.epoch != "restored"
    assert await link_of(scene) == before


async def test_a_link_entered_by_an_older_version_gives_way(scene: Scene) -> None:
    await scene.redis.hset(f"{{{scene.market}}}:l:{scene.numbers['ada']}", "phone", "gw-old|3|1")
    assert (await entered(scene, "gw-1", 5)).replaced == ("gw-old", 3)


async def test_a_replaced_socket_does_not_speak_for_the_newer_one(scene: Scene) -> None:
    older, newer = await entered(scene, "gw-1", 5), await entered(scene, "gw-2", 6)
    for linked, background in ((older, "0"), (newer, "1")):
        await scene.store.links.status(scene.market, scene.numbers["ada"], None, True, "phone", linked.generation)
        assert await link_of(scene) == f"gw-2|6|{background}|{newer.generation}".encode()

"""Rights: generations of tokens, blocked accounts, and the word that goes to gateways."""

from collections.abc import Iterable

import pytest

from dispatch import events
from dispatch.store.keys import key
from dispatch.store.rights import DEVICES_REMEMBERED, Changes
from tests.store.scene import GATEWAY, Scene
from tests.store.soundness import faults


async def token_generation(scene: Scene) -> int:
    return await scene.store.rights.token_generation(scene.market, scene.numbers["ada"])


async def revoke(scene: Scene, *devices: str | None) -> None:
    for device in devices:
        await scene.store.rights.revoke(scene.market, scene.numbers["ada"], device)


async def lost(scene: Scene, *holders: tuple[str, int]) -> list[str | None]:
    """What each device of Ada's lacks that holds a token of a generation."""
    pno = scene.numbers["ada"]
    return list(await scene.store.rights.faults(scene.market, [(pno, device, of) for device, of in holders]))


async def test_a_token_is_good_from_the_generation_on_in_which_its_device_was_revoked(scene: Scene) -> None:
    assert await token_generation(scene) == 0
    assert await lost(scene, ("phone", 0), ("tablet", 0)) == [None, None]
    await revoke(scene, "phone")
    assert await token_generation(scene) == 1
    assert await lost(scene, ("phone", 0), ("phone", 1), ("tablet", 0)) == ["revoked", None, None]
    await revoke(scene, "tablet", None)
    assert await token_generation(scene) == 3
    assert await lost(scene, ("phone", 2), ("phone", 3), ("tablet", 2), ("watch", 2), ("watch", 3)) == [
        "revoked", None, "revoked", "revoked", None,
    ]  # fmt: skip
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_nobody_elses_tokens_suffer(scene: Scene) -> None:
    await revoke(scene, None)
    assert await scene.store.rights.faults(scene.market, [(scene.numbers["ben"], "phone", 0)]) == [None]


@pytest.mark.parametrize(("status", "fault"), [("inactive", "blocked"), ("pending", None), ("approved", None)])
async def test_an_inactive_account_is_blocked(scene: Scene, status: str, fault: str | None) -> None:
    await scene.provider("ada", status=status, reachable=False)
    assert await lost(scene, ("phone", 0)) == [fault]


@pytest.mark.parametrize(
    ("status", "revoked", "token", "why"),
    [("inactive", False, 0, "BLOCKED"), ("approved", True, 0, "REVOKED"), ("approved", True, 1, ""), ("inactive", True, 0, "BLOCKED")],
)
async def test_who_may_not_hold_a_socket_gets_none(scene: Scene, status: str, revoked: bool, token: int, why: str) -> None:
    await scene.provider("ada", status=status, reachable=False)
    await revoke(scene, *(["phone"] if revoked else []))
    linked = await scene.store.links.connect(scene.market, scene.numbers["ada"], "phone", GATEWAY, 9, token_generation=token)
    assert (linked.allowed, linked.why) == (not why, why)
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_a_provider_with_too_much_to_write_at_once_is_judged_by_what_he_is_going_to_be(scene: Scene) -> None:
    await scene.redis.hset(key("provider", scene.market, scene.numbers["ada"]), "status", "loading")
    assert await lost(scene, ("phone", 0)) == [None]
    rest = b"\x81\xa6status\xa8inactive"
    await scene.redis.hset(key("provider", scene.market, scene.numbers["ada"]), "rest", rest)
    assert await lost(scene, ("phone", 0)) == ["blocked"]


async def test_each_change_is_told_once_to_whoever_asks_from_where_he_stands(scene: Scene) -> None:
    ada, ben = scene.numbers["ada"], scene.numbers["ben"]
    before = await scene.store.rights.last(scene.market)
    assert await scene.store.rights.changes({scene.market: before}) == {}
    await revoke(scene, "phone", "phone")
    await scene.provider("ben", status="inactive", reachable=False)
    await scene.provider("ben", status="inactive", reachable=False)  # he was that already
    assert await scene.store.rights.last(scene.market) == before + 3
    assert await scene.store.rights.changes({scene.market: before}) == {scene.market: Changes(before + 3, frozenset({ada, ben}))}
    assert await scene.store.rights.changes({scene.market: before + 2}) == {scene.market: Changes(before + 3, frozenset({ben}))}
    assert await scene.store.rights.changes({scene.market: before + 9}) == {scene.market: Changes(before + 3, None)}
    assert await scene.store.rights.changes({}) == {}


async def test_gateways_that_hold_him_are_woken(scene: Scene) -> None:
    async with scene.store.wakeups("gw-1") as wakeups, scene.listening(wakeups) as heard:
        await scene.connect("ada", "tablet", "gw-1", 5)
        await scene.connect("ada", "watch", "gw-1", 6)
        await revoke(scene, "watch")
        wake = await heard()
    assert (wake.market, wake.rights, wake.frames, wake.closes, wake.lost) == (scene.market, True, [], [], False)


async def test_of_many_revoked_devices_the_first_is_forgotten_in_favour_of_safety(scene: Scene) -> None:
    devices = [f"d-{number}" for number in range(DEVICES_REMEMBERED + 10)]
    await revoke(scene, *devices)
    kept = await scene.redis.hlen(key("revoked", scene.market, scene.numbers["ada"]))
    assert kept <= DEVICES_REMEMBERED + 2
    assert await lost(scene, *((device, 0) for device in devices)) == ["revoked"] * len(devices)
    last = len(devices)
    assert await lost(scene, ("d-0", last), ("another", last), ("another", 0)) == [None, None, "revoked"]
    assert await lost(scene, (devices[-1], last - 1), (devices[-2], last - 1)) == ["revoked", None]


async def test_a_revocation_is_in_the_audit_log_without_a_name(scene: Scene) -> None:
    await revoke(scene, "phone", None)
    stream = await scene.redis.xrange(key("events", scene.market))
    told = [event for event in decoded(stream) if isinstance(event, events.TokensRevoked)]
    assert [(event.p, event.all) for event in told] == [(scene.numbers["ada"], False), (scene.numbers["ada"], True)]


def decoded(stream: Iterable[tuple[bytes, list[bytes]]]) -> list[events.AnyEvent]:
    return [events.decode(pairs[1]) for _, pairs in stream]

"""Pushes: who is owed one and when, each once, whatever dies in between; and addresses, which come and go (R2, R14)."""

import asyncio
from collections import Counter, defaultdict
from random import Random
from typing import Any

import msgspec
import pytest

from dispatch.messages import PushAddress
from dispatch.store import Push
from dispatch.store.calls import wall_ms
from dispatch.store.links import DEVICES
from dispatch.store.pushes import ATTEMPTS, LENT_MS
from tests.store.scene import GATEWAY, HOUR, NOON, Scene
from tests.store.soundness import faults

ACK_MS = 3_000


def address(name: str) -> bytes:
    return msgspec.json.encode(PushAddress(kind="fcm", token=name))


async def named(
    scene: Scene, name: str, device: str = "phone", *, online: bool = False, background: bool = False, token: str | None = None
) -> None:
    """A device of his has named its address, and has a socket or none."""
    conn = {"phone": 1, "tablet": 11}.get(device, 21)
    to = address(token or f"{name}-{device}")
    await scene.store.links.connect(scene.market, scene.numbers[name], device, GATEWAY, conn, background=background, push=to)
    if not online:
        await scene.disconnect(name, device, conn=conn)


async def due(scene: Scene, limit: int = 100) -> list[Push]:
    """What is to be pushed in this test's market now; it is lent from then on."""
    return [one for one in await scene.store.pushes.due(limit) if one.market == scene.market]


def short(pushes: list[Push]) -> list[str]:
    return sorted(f"{push.address.token} {push.kind}" for push in pushes)


async def ripe(scene: Scene) -> None:
    """The time has come for everything that waits or is lent."""
    for name in scene.numbers.values():
        records = f"{{{scene.market}}}:ps:{name}"
        for bno in await scene.redis.hkeys(records):
            kept = msgspec.msgpack.decode(await scene.redis.hget(records, bno))
            for one in kept["to"].values():
                one["due"] = 0
            await scene.redis.hset(records, bno, msgspec.msgpack.encode(kept))
    waiting = await scene.redis.zrange(f"{{{scene.market}}}:psdue", 0, -1)
    if waiting:
        await scene.redis.zadd(f"{{{scene.market}}}:psdue", dict.fromkeys(waiting, 0))


async def looks(scene: Scene) -> list[float]:
    """In how many ms each record is looked at."""
    found = await scene.redis.zrange(f"{{{scene.market}}}:psdue", 0, -1, withscores=True)
    return sorted(float(score) - wall_ms() for _, score in found)


async def remembered(scene: Scene) -> int:
    """Records of pushes that are kept."""
    return sum([await scene.redis.hlen(f"{{{scene.market}}}:ps:{pno}") for pno in scene.numbers.values()])


async def sound(scene: Scene) -> bool:
    assert await faults(scene.store, scene.market, scene.redis_url) == []
    return True


# -- when an address is taken away ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("device", "left"), [("phone", ["ada-tablet proposal"]), ("tablet", ["ada-phone proposal"]), (None, [])])
async def test_a_device_whose_tokens_are_revoked_is_not_pushed_any_more(scene: Scene, device: str | None, left: list[str]) -> None:
    await named(scene, "ada")
    await named(scene, "ada", "tablet")
    await scene.open()
    await scene.store.rights.revoke(scene.market, scene.numbers["ada"], device)
    assert short(await due(scene)) == left
    assert (await scene.desk.provider(scene.market, "ada"))["reachable"] is bool(left)
    assert await sound(scene)


async def test_a_blocked_account_is_not_pushed_any_more_and_signs_in_anew_when_it_is_not_blocked(scene: Scene) -> None:
    await named(scene, "ada")
    await scene.open()
    await scene.provider("ada", status="inactive", reachable=False)
    assert await due(scene) == []
    await ripe(scene)
    assert (await due(scene), await remembered(scene)) == ([], 0)
    await scene.provider("ada", reachable=False)
    assert not (await scene.desk.provider(scene.market, "ada"))["reachable"]
    await named(scene, "ada")
    assert (await scene.desk.provider(scene.market, "ada"))["reachable"]
    assert await sound(scene)


# -- when a push is owed ----------------------------------------------------------------------------------------------


async def test_without_a_socket_a_push_is_owed_at_once_with_id_kind_and_expiry_r14(scene: Scene) -> None:
    await named(scene, "ada")
    await scene.open()
    (push,) = await due(scene)
    record = await scene.record()
    assert (push.id, push.kind, push.expires_at) == (scene.proposal("ada", record), "proposal", record.deadline)
    assert (push.pno, push.bno, push.attempts) == (scene.numbers["ada"], record.no, 1)
    assert push.address == PushAddress(kind="fcm", token="ada-phone")
    (shown, *_) = await scene.told("ada")
    assert (shown["proposal"], shown["expires_at"]) == (push.id, push.expires_at)
    assert await sound(scene)


async def test_in_the_background_it_is_owed_at_once_whatever_is_confirmed(scene: Scene) -> None:
    await named(scene, "ada", online=True, background=True)
    await scene.open()
    await scene.receive("ada")
    assert short(await due(scene)) == ["ada-phone proposal"]


async def test_on_the_screen_it_is_owed_when_nothing_is_confirmed_for_three_seconds(scene: Scene) -> None:
    await named(scene, "ada", online=True)
    await scene.open()
    assert await due(scene) == []
    [wait] = await looks(scene)
    assert ACK_MS - 1_000 < wait <= ACK_MS
    await ripe(scene)
    assert short(await due(scene)) == ["ada-phone proposal"]
    assert await sound(scene)


async def test_what_is_confirmed_in_time_is_not_pushed(scene: Scene) -> None:
    await named(scene, "ada", online=True)
    await scene.open()
    await scene.receive("ada")
    await ripe(scene)
    assert await due(scene) == []
    assert (await remembered(scene), await looks(scene)) == (0, [])
    assert await sound(scene)


async def test_a_device_that_goes_away_before_it_confirms_is_pushed(scene: Scene) -> None:
    await named(scene, "ada", online=True)
    await scene.open()
    await scene.disconnect("ada")
    await ripe(scene)
    assert short(await due(scene)) == ["ada-phone proposal"]


async def test_a_tablet_left_on_does_not_silence_the_phone_in_the_pocket(scene: Scene) -> None:
    await named(scene, "ada")
    await named(scene, "ada", "tablet", online=True)
    await scene.open()
    assert short(await due(scene)) == ["ada-phone proposal"]
    await scene.receive("ada", device="tablet")
    await ripe(scene)
    assert short(await due(scene)) == ["ada-phone proposal"]  # lent again, as nobody said what became of it; not the tablet


async def test_what_the_tablet_confirms_says_nothing_of_the_phone_whose_network_is_gone(scene: Scene) -> None:
    """Both are on when it is sent; the phone's network dies before anything arrives there, and nobody knows of that yet."""
    await named(scene, "ada", online=True)
    await named(scene, "ada", "tablet", online=True)
    await scene.open()
    await scene.receive("ada", device="tablet")
    await ripe(scene)
    assert short(await due(scene)) == ["ada-phone proposal"]
    assert await sound(scene)


async def test_what_is_owed_at_once_is_needless_when_the_app_was_opened_meanwhile(scene: Scene) -> None:
    await named(scene, "ada")
    await named(scene, "ben")
    await scene.open()
    await scene.connect("ada")
    for name in ("ada", "ben"):
        await scene.receive(name)  # Ada's app shows it; Ben's heard of it somehow, and is closed
    assert short(await due(scene)) == ["ben-phone proposal"]
    assert await sound(scene)


async def test_who_has_no_address_is_owed_nothing(scene: Scene) -> None:
    await scene.open()
    assert (await due(scene), await remembered(scene), await looks(scene)) == ([], 0, [])


async def test_a_worker_is_woken_for_what_is_due_at_once(scene: Scene) -> None:
    timers = scene.store.timers()
    heard = timers.messages()
    await timers.follow(scene.market)
    await named(scene, "ada")
    await scene.open()
    async with asyncio.timeout(10):
        assert b"p" in (await anext(heard))[1]
    await timers.close()


# -- once ---------------------------------------------------------------------------------------------------------------


async def test_each_proposal_is_pushed_once_to_a_device(scene: Scene) -> None:
    await named(scene, "ada")
    await scene.open()
    (push,) = await due(scene)
    await scene.store.pushes.sent(push)
    await ripe(scene)
    assert await due(scene) == []
    assert await scene.gauge("count.pushes_sent") == 1
    assert (await scene.story())[-1] == "Pushed"
    assert await sound(scene)


async def test_a_proposal_that_lost_a_window_is_not_pushed_again_and_is_taken_back_until_its_new_deadline_r11(scene: Scene) -> None:
    await named(scene, "ada")
    await scene.open(leads=(4, 9))
    (push,) = await due(scene)
    await scene.store.pushes.sent(push)
    await scene.at(NOON + 3 * HOUR)
    await scene.settle()
    await ripe(scene)
    assert await due(scene) == []
    await scene.cancel()
    (gone,) = await due(scene)
    assert (gone.kind, gone.expires_at) == ("withdrawn", NOON + 8 * HOUR)
    assert push.expires_at == NOON + 3 * HOUR


async def test_of_several_workers_one_gets_it(scene: Scene) -> None:
    for name in ("ada", "ben", "cleo"):
        await named(scene, name)
    await scene.open()
    taken = await asyncio.gather(*(due(scene) for _ in range(4)))
    assert short([push for some in taken for push in some]) == ["ada-phone proposal", "ben-phone proposal", "cleo-phone proposal"]


async def test_however_many_are_due_all_are_taken_a_page_at_a_time(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that turn out to be needless hold up nobody behind them."""
    monkeypatch.setattr("dispatch.store.pushes.PAGE", 2)
    for name in ("ada", "ben", "cleo"):
        await named(scene, name, online=True)
    await named(scene, "dan")
    for number in range(4):
        await scene.open(f"b-{number}", lead=3 + number / 2)
    for name in ("ada", "ben", "cleo"):
        await scene.store.links.connect(scene.market, scene.numbers[name], "phone", GATEWAY, 1, push=b"")  # it has no address any more
    await ripe(scene)
    await scene.open("b-last", lead=12)
    await scene.only("dan", "b-last")
    assert [wait < -1_000 for wait in await looks(scene)].count(True) == 12
    his = [booking_id for booking_id in ("b-0", "b-1", "b-2", "b-3", "b-last") if "dan" in await scene.states(booking_id)]
    assert short(await due(scene)) == ["dan-phone proposal"] * len(his)
    assert [wait for wait in await looks(scene) if wait <= 0] == []
    assert await sound(scene)


async def test_a_worker_takes_no_more_than_it_has_seats(scene: Scene) -> None:
    for name in ("ada", "ben", "cleo"):
        await named(scene, name)
    await scene.open()
    assert [len(await due(scene, 2)), len(await due(scene, 2)), len(await due(scene, 2))] == [2, 1, 0]


# -- what becomes of it -------------------------------------------------------------------------------------------------


async def test_what_a_dead_worker_had_is_lent_again_and_its_late_word_counts_for_nothing(scene: Scene) -> None:
    await named(scene, "ada")
    await scene.open()
    (first,) = await due(scene)
    [wait] = await looks(scene)
    assert LENT_MS - 5_000 < wait <= LENT_MS
    assert await due(scene) == []
    await ripe(scene)
    (second,) = await due(scene)
    assert (first.attempts, second.attempts) == (1, 2)
    await scene.store.pushes.sent(first)
    assert await scene.gauge("count.pushes_sent") == 0
    await scene.store.pushes.sent(second)
    await scene.store.pushes.sent(second)
    assert await scene.gauge("count.pushes_sent") == 1
    assert await sound(scene)


async def test_what_was_put_off_is_lent_later(scene: Scene) -> None:
    await named(scene, "ada")
    await scene.open()
    (push,) = await due(scene)
    await scene.store.pushes.retry(push, 10_000)
    [wait] = await looks(scene)
    assert 5_000 < wait <= 10_000
    await ripe(scene)
    assert [push.attempts for push in await due(scene)] == [2]


async def test_after_so_many_attempts_it_is_given_up(scene: Scene) -> None:
    await named(scene, "ada")
    await scene.open()
    for attempt in range(1, ATTEMPTS + 1):
        assert [push.attempts for push in await due(scene)] == [attempt]
        await ripe(scene)
    assert await due(scene) == []
    assert (await scene.gauge("count.pushes_failed"), await remembered(scene)) == (1, 0)
    assert await sound(scene)


async def test_what_cannot_be_sent_is_given_up_at_once(scene: Scene) -> None:
    await named(scene, "ada")
    await scene.open()
    (push,) = await due(scene)
    await scene.store.pushes.failed(push)
    assert (await scene.gauge("count.pushes_failed"), await remembered(scene)) == (1, 0)
    assert "ada" in await scene.candidates()
    assert await sound(scene)


async def test_nothing_is_pushed_after_its_expiry(scene: Scene) -> None:
    await named(scene, "ada")
    await scene.open()
    (push,) = await due(scene)
    await scene.store.pushes.retry(push, 0)
    await scene.at(push.expires_at)
    assert await due(scene) == []
    assert await scene.gauge("count.pushes_expired") == 1
    await scene.settle()  # and its end needs no word
    await ripe(scene)
    assert (await due(scene), await remembered(scene)) == ([], 0)
    assert await sound(scene)


async def test_the_expiry_is_told_in_wall_time_too(scene: Scene) -> None:
    await scene.at_wall()
    await scene.provider("eve", reachable=False)
    await named(scene, "eve")
    await scene.open()
    (push,) = await due(scene)
    assert abs(push.until_ms - push.expires_at) < 2_000


# -- taking back --------------------------------------------------------------------------------------------------------


async def pushed(scene: Scene, *names: str, **how: Any) -> None:
    """These have an address and no socket, and were pushed the proposal of a booking."""
    for name in names:
        await named(scene, name)
    await scene.open(**how)
    for push in await due(scene):
        await scene.store.pushes.sent(push)


async def test_whoever_was_pushed_a_proposal_is_pushed_its_end_once_r15(scene: Scene) -> None:
    await pushed(scene, "ada", "ben")
    assert await scene.accept("cleo") == "won"
    taken = await due(scene)
    assert short(taken) == ["ada-phone withdrawn", "ben-phone withdrawn"]
    assert {push.id for push in taken} == {f"1.1.{scene.numbers[name]}" for name in ("ada", "ben")}
    for push in taken:
        await scene.store.pushes.sent(push)
    await ripe(scene)
    assert (await due(scene), await remembered(scene)) == ([], 0)
    assert await scene.gauge("count.pushes_sent") == 4
    assert await sound(scene)


async def test_an_end_is_not_pushed_where_nothing_was_pushed_before(scene: Scene) -> None:
    await named(scene, "ada", online=True)
    await named(scene, "ben")
    await scene.open()
    await scene.cancel()
    assert (await due(scene), await remembered(scene), await looks(scene)) == ([], 0, [])
    assert await sound(scene)


async def test_an_answer_takes_the_notification_off_his_other_devices_and_not_off_the_one_on_the_screen(scene: Scene) -> None:
    await named(scene, "ada", "tablet")
    await pushed(scene, "ada")
    await scene.connect("ada", "phone", conn=30)  # he opens the app
    await scene.receive("ada", seen=True)
    assert await scene.accept("ada") == "won"
    assert short(await due(scene)) == ["ada-tablet withdrawn"]


async def test_a_dead_socket_on_the_screen_gets_the_end_by_push_too(scene: Scene) -> None:
    await named(scene, "ada", online=True)
    await scene.open()
    await ripe(scene)
    (push,) = await due(scene)
    await scene.store.pushes.sent(push)
    await scene.cancel()
    assert short(await due(scene)) == ["ada-phone withdrawn"]


@pytest.mark.parametrize("fate", ["sent", "retry", "dies"])
async def test_the_end_never_overtakes_the_proposal(scene: Scene, fate: str) -> None:
    await named(scene, "ada")
    await scene.open()
    (push,) = await due(scene)
    await scene.cancel()
    assert await due(scene) == []  # the proposal is still under way
    if fate == "sent":
        await scene.store.pushes.sent(push)
    elif fate == "retry":
        await scene.store.pushes.retry(push, 0)  # perhaps it arrived, and only the answer was lost
    else:
        await ripe(scene)
    (end,) = await due(scene)
    assert (end.kind, end.attempts) == ("withdrawn", 1)
    await scene.store.pushes.sent(end)
    assert (await remembered(scene), await looks(scene)) == (0, [])
    assert await sound(scene)


@pytest.mark.parametrize("fate", ["failed", "gone"])
async def test_what_never_arrived_needs_no_end(scene: Scene, fate: str) -> None:
    await named(scene, "ada")
    await scene.open()
    (push,) = await due(scene)
    await scene.cancel()
    await getattr(scene.store.pushes, fate)(push)
    assert (await due(scene), await remembered(scene)) == ([], 0)
    assert await sound(scene)


# -- addresses ----------------------------------------------------------------------------------------------------------


async def test_an_address_that_is_none_is_dropped_at_once_and_its_provider_cannot_be_asked_r14(scene: Scene) -> None:
    await named(scene, "ada")
    await scene.open()
    (push,) = await due(scene)
    assert "ada" in await scene.candidates()
    await scene.store.pushes.gone(push)
    assert "ada" not in await scene.candidates()
    assert not (await scene.desk.provider(scene.market, "ada"))["reachable"]
    assert await scene.gauge("count.pushes_gone") == 1
    assert await sound(scene)


async def test_with_another_address_or_a_socket_he_can_still_be_asked(scene: Scene) -> None:
    await named(scene, "ada", "tablet")
    await named(scene, "ada")
    await named(scene, "ben")
    await scene.open()
    await scene.connect("ben")
    for push in await due(scene):
        if push.device == "phone":
            await scene.store.pushes.gone(push)
    assert {"ada", "ben"} <= set(await scene.candidates())
    await scene.disconnect("ben")
    assert "ben" not in await scene.candidates()
    assert await sound(scene)


async def test_an_address_that_was_renewed_meanwhile_stays(scene: Scene) -> None:
    await named(scene, "ada")
    await scene.open()
    (push,) = await due(scene)
    await named(scene, "ada", token="newer")
    await scene.store.pushes.gone(push)
    assert "ada" in await scene.candidates()
    await scene.open("b-2", lead=8)
    assert short(await due(scene)) == ["newer proposal"]
    assert await sound(scene)


async def test_what_is_owed_goes_to_the_address_of_that_moment(scene: Scene) -> None:
    await named(scene, "ada", online=True)
    await scene.open()
    await named(scene, "ada", token="newer")
    await ripe(scene)
    assert short(await due(scene)) == ["newer proposal"]


async def test_a_hello_without_an_address_takes_it_off_and_a_link_that_knows_nothing_of_it_does_not(scene: Scene) -> None:
    await named(scene, "ada")
    await scene.connect("ada")  # a gateway that enters its links again
    await scene.disconnect("ada")
    assert "ada" in await scene.candidates()
    await scene.store.links.connect(scene.market, scene.numbers["ada"], "phone", GATEWAY, 9, push=b"")
    await scene.disconnect("ada", conn=9)
    assert "ada" not in await scene.candidates()
    assert await sound(scene)


async def test_a_phone_that_changes_hands_is_pushed_for_its_new_owner_alone(scene: Scene) -> None:
    await named(scene, "ada", token="one phone")
    await named(scene, "ben", token="one phone")
    assert ("ada" in await scene.candidates(), "ben" in await scene.candidates()) == (False, True)
    await scene.open()
    assert [(push.pno, push.address.token) for push in await due(scene)] == [(scene.numbers["ben"], "one phone")]
    assert await sound(scene)


async def test_a_phone_under_a_new_device_id_is_pushed_once(scene: Scene) -> None:
    await named(scene, "ada", "phone", token="one phone")
    await named(scene, "ada", "phone-after-reinstall", token="one phone")
    await scene.open()
    assert [push.device for push in await due(scene)] == ["phone-after-reinstall"]
    assert await sound(scene)


async def test_of_more_than_five_addresses_the_one_not_heard_of_longest_goes(scene: Scene) -> None:
    for number in range(DEVICES):
        await named(scene, "ada", f"d-{number}")
        await asyncio.sleep(0.002)  # they are told apart by the millisecond
    await named(scene, "ada", "d-0")
    await named(scene, "ada", "d-9")
    await scene.open()
    assert sorted(push.device for push in await due(scene)) == ["d-0", "d-2", "d-3", "d-4", "d-9"]
    assert await sound(scene)


# -- anything, in any order ---------------------------------------------------------------------------------------------


class Worker:
    """Takes pushes and meets their fates by chance; now and then it dies with them in its hands."""

    def __init__(self, scene: Scene, chance: Random) -> None:
        self.scene, self.chance = scene, chance
        self.arrived: dict[tuple[str, str], list[str]] = defaultdict(list)  # (address, proposal) -> kinds in order
        self.outcomes: Counter[str] = Counter()

    async def work(self) -> None:
        for one in await due(self.scene, limit=self.chance.randrange(1, 6)):
            assert one.expires_at > self.scene.now
            fate = self.chance.choices(["sent", "retry", "failed", "gone", "lost", "dies"], [8, 3, 1, 1, 2, 2])[0]
            if fate in ("sent", "lost"):
                self.arrived[one.address.token, one.id].append(one.kind)
            if fate == "retry":
                await self.scene.store.pushes.retry(one, 0)
            elif fate in ("sent", "failed", "gone"):
                self.outcomes[fate] += 1
                await getattr(self.scene.store.pushes, fate)(one)


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_workers_and_phones_do_the_end_comes_last_and_everything_comes_to_rest(scene: Scene, seed: int) -> None:
    chance = Random(seed)
    worker = Worker(scene, chance)
    for number in range(24):
        for name in scene.numbers:
            if chance.random() < 0.5:
                await named(scene, name, chance.choice(["phone", "tablet"]), online=chance.random() < 0.4)
            if chance.random() < 0.2:
                await scene.disconnect(name)
        booking_id = f"b-{number}"
        await scene.open(booking_id, lead=2.5 + 2 * number)
        await worker.work()
        holders = [name for name, state in (await scene.states(booking_id)).items() if state == "open"]
        if holders and chance.random() < 0.4:
            await scene.receive(chance.choice(holders), booking_id)
        if holders and chance.random() < 0.5:
            await scene.accept(chance.choice(holders), booking_id)
        elif chance.random() < 0.5:
            await scene.cancel(booking_id)
        if chance.random() < 0.3:
            await ripe(scene)
        await asyncio.gather(worker.work(), worker.work())
        assert await faults(scene.store, scene.market, scene.redis_url) == []
    assert worker.outcomes["sent"] > 10
    assert all(kinds == sorted(kinds) for kinds in worker.arrived.values()), "a proposal arrived after its end"
    await scene.later(hours=72)
    for _ in range(10):
        await scene.settle()
        await due(scene)
        await ripe(scene)
    assert (await remembered(scene), await looks(scene)) == (0, [])
    assert await sound(scene)

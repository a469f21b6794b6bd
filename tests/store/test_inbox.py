"""Inboxes: every device is told everything once and in order, or is told to look at what is open (P8)."""

import asyncio
from typing import Any

import msgspec
import pytest

from dispatch.messages import Booking, Proposal, ToDevice, Withdrawn
from dispatch.store.inbox import REPLAY
from tests.store.scene import HOUR, NOON, Scene

KEPT = 128  # messages of a provider that the store keeps


async def inbox(scene: Scene, epoch: str | None, seq: int | None, name: str = "ada") -> Any:
    return await scene.resume(name, epoch, seq)


async def messages(scene: Scene, count: int) -> None:
    """Ada gets so many messages: proposals, and a withdrawal for each."""
    for number in range(count // 2):
        await scene.open(f"m-{number}")
        await scene.cancel(f"m-{number}")


async def test_messages_count_from_one_without_gaps(scene: Scene) -> None:
    await scene.open("b-1", lead=4)
    await scene.open("b-2", lead=8)
    await scene.accept("ada", "b-1")
    await scene.cancel("b-2")
    assert [message["seq"] for message in await scene.told("ada")] == [1, 2, 3, 4, 5]
    assert await scene.heard("ada") == ["proposal", "proposal", "withdrawn answered_elsewhere", "booking accepted", "withdrawn cancelled"]


async def test_a_device_that_is_up_to_date_is_told_nothing_p8(scene: Scene) -> None:
    await scene.open()
    known = await scene.store.inbox.open_items(scene.market, scene.numbers["ada"])
    found = await inbox(scene, known.epoch, known.seq)
    assert (found.resumed, found.reason, found.seq, found.missed, found.items) == (True, None, 1, [], [])


async def test_a_device_is_told_what_it_missed_p8(scene: Scene) -> None:
    epoch = (await scene.store.inbox.open_items(scene.market, scene.numbers["ada"])).epoch
    await scene.open()
    await scene.cancel()
    found = await inbox(scene, epoch, 1)
    assert (found.resumed, found.seq, [seq for seq, _ in found.missed]) == (True, 2, [2])
    assert msgspec.msgpack.decode(found.missed[0][1])["reason"] == "cancelled"


@pytest.mark.parametrize(
    ("epoch", "seq", "reason"),
    [
        (None, None, "new"),
        ("right", None, "new"),
        (None, 3, "new"),
        ("other", 1, "epoch"),
        ("", 1, "epoch"),
        ("right", 3, "epoch"),  # it has seen what this store has not: an older copy was restored
        ("right", 2**53 - 1, "epoch"),
    ],
)
async def test_a_device_the_store_does_not_know_gets_what_is_open_and_why_p8(
    scene: Scene, epoch: str | None, seq: int | None, reason: str
) -> None:
    await scene.open("b-1", lead=4)
    await scene.open("b-2", lead=8)
    right = (await scene.store.inbox.open_items(scene.market, scene.numbers["ada"])).epoch
    found = await inbox(scene, right if epoch == "right" else epoch, seq)
    assert (found.resumed, found.reason, found.epoch, found.seq, found.missed) == (False, reason, right, 2, [])
    assert sorted(msgspec.msgpack.decode(item)["proposal"] for item in found.items) == ["1.1.1", "2.1.1"]


async def test_what_is_no_longer_kept_cannot_be_replayed_p8(scene: Scene) -> None:
    await messages(scene, KEPT + 12)
    epoch = (await scene.store.inbox.open_items(scene.market, scene.numbers["ada"])).epoch
    assert (await inbox(scene, epoch, 11)).reason == "too_old"
    assert (await inbox(scene, epoch, 0)).reason == "too_old"
    assert (await inbox(scene, epoch, 12)).reason == "too_many"


@pytest.mark.parametrize(("missed", "resumed", "reason"), [(REPLAY, True, None), (REPLAY + 1, False, "too_many")])
async def test_more_than_a_hundred_missed_messages_are_told_by_what_is_open_p8(
    scene: Scene, missed: int, resumed: bool, reason: str | None
) -> None:
    await messages(scene, 110)
    epoch = (await scene.store.inbox.open_items(scene.market, scene.numbers["ada"])).epoch
    found = await inbox(scene, epoch, 110 - missed)
    assert (found.resumed, found.reason, len(found.missed), len(found.items)) == (resumed, reason, missed if resumed else 0, 0)


async def test_a_provider_nobody_wrote_to_can_resume_p8(scene: Scene) -> None:
    epoch = (await scene.store.inbox.open_items(scene.market, scene.numbers["dan"])).epoch
    assert (await inbox(scene, epoch, 0, "dan")).resumed
    assert (await inbox(scene, None, None, "dan")).items == []


async def test_several_inboxes_are_read_together(scene: Scene) -> None:
    await scene.open("b-1", lead=4)
    await scene.open("b-2", lead=5)
    wants = [(scene.market, scene.numbers[name], after) for name, after in (("ada", 0), ("ben", 1), ("dan", 0), ("cleo", 9))]
    found = await scene.store.inbox.missed(wants)
    assert [[seq for seq, _ in one] for one in found] == [[1, 2], [2], [1], []]


async def test_what_is_open_is_as_last_sent_and_true_for_its_seq_p8(scene: Scene) -> None:
    """A window was dropped, one was won, one refused: the items are what a device would show after hearing everything."""
    await scene.open("b-1", leads=(3, 9))
    await scene.open("b-2", lead=5)
    await scene.open("b-3", lead=5.5)
    await scene.accept("ada", "b-2")
    await scene.refuse("ada", "b-3") if (await scene.states("b-3"))["ada"] == "open" else None
    await scene.at(NOON + 2 * HOUR)
    await scene.settle()
    found = await scene.store.inbox.open_items(scene.market, scene.numbers["ada"])
    shown = replayed(await scene.told("ada"))
    assert sorted(map(identity, map(msgspec.msgpack.decode, found.items))) == sorted(map(identity, shown.values()))
    assert found.seq == (await scene.told("ada"))[-1]["seq"]
    assert {name: message["version"] for name, message in shown.items()} == {"1.1.1": 2, "b-2": 1}


async def test_a_snapshot_taken_in_the_middle_of_everything_is_consistent_p8(scene: Scene) -> None:
    """Whatever is read while bookings come and go: the messages up to its seq come to exactly its items."""
    ada = scene.numbers["ada"]

    async def stir() -> None:
        for number in range(12):
            await scene.open(f"s-{number}", lead=3 + number % 4)
            await (scene.refuse, scene.accept)[number % 2]("ada", f"s-{number}")
            await scene.cancel(f"s-{number}")

    async def look() -> list[Any]:
        return [await scene.store.inbox.open_items(scene.market, ada) for _ in range(60)]

    _, looks = await asyncio.gather(stir(), look())
    told = await scene.told("ada")
    for found in looks:
        shown = replayed([message for message in told if message["seq"] <= found.seq])
        assert sorted(map(identity, map(msgspec.msgpack.decode, found.items))) == sorted(map(identity, shown.values()))
    assert len({found.seq for found in looks}) > 5


def replayed(told: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """What a device shows after it heard these messages."""
    shown: dict[str, dict[str, Any]] = {}
    for message in told:
        if message["type"] == "proposal":
            shown[message["proposal"]] = message
        elif message["type"] == "withdrawn":
            shown.pop(message["proposal"], None)
        elif message["state"] == "accepted":
            shown[message["booking_id"]] = message
        else:
            shown.pop(message["booking_id"], None)
    return shown


def identity(message: dict[str, Any]) -> str:
    return msgspec.json.encode(message, order="sorted").decode()


async def test_messages_are_small_and_of_the_shape_of_the_protocol(scene: Scene) -> None:
    await scene.open(note="x" * 1_000, leads=(3, 4, 5, 6, 7), services=["cut"])
    await scene.accept("ada")
    (frames,) = await scene.store.inbox.missed([(scene.market, scene.numbers["ada"], 0)])
    kinds = [type(msgspec.msgpack.decode(frame, type=ToDevice)) for _, frame in frames]
    assert kinds == [Proposal, Withdrawn, Booking]
    assert max(len(frame) for _, frame in frames) < 4_096

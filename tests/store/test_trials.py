"""Testing one's notifications (R25b): a proposal that goes every step of the real way, and stands for nothing."""

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from dispatch.engine.upkeep import Upkeep
from dispatch.errors import BadRequest, NotFound, RateLimited
from dispatch.messages import Proposal, PushAddress, ToDevice, TrialState, Withdrawn
from dispatch.model import Catalogue, Service, Trade
from dispatch.store import Marks, Push, mark
from dispatch.store.keys import key
from dispatch.store.trials import LIFE_MS, PAUSE_MS
from dispatch.wire import encode_json
from tests.store.recount import recount, said
from tests.store.scene import GATEWAY, Scene
from tests.store.soundness import faults

OURS = ("count.tests",)  # the one gauge that tells of tests


async def send(scene: Scene, name: str = "ada", *, by_device: bool = True, command: str | None = None) -> str:
    return await scene.store.trials.send(scene.market, scene.numbers[name], command or scene.fresh("t"), by_device=by_device)


async def confirm(scene: Scene, proposal: str, device: str, *, seen: bool = False, name: str = "ada") -> Marks:
    which = [mark(proposal, device)]
    return await scene.store.claims.receipts(scene.market, [(scene.numbers[name], which, which if seen else [])])


async def answer(scene: Scene, proposal: str, how: str, name: str = "ada", command: str | None = None) -> str:
    act = getattr(scene.store.claims, how)
    return str((await act(scene.market, scene.numbers[name], command or scene.fresh("x"), proposal, 1))["outcome"])


async def addressed(scene: Scene, device: str = "phone", conn: int = 2) -> None:
    """A device of Ada's is there, and has named where it is pushed."""
    address = encode_json(PushAddress(kind="fcm", token=f"{device}-token"))
    await scene.store.links.connect(scene.market, scene.numbers["ada"], device, GATEWAY, conn, push=address)


async def pushes(scene: Scene) -> list[Push]:
    """What is to be pushed in this test's market now; it is lent from then on."""
    return [one for one in await scene.store.pushes.due(100) if one.market == scene.market]


async def heard(scene: Scene, name: str = "ada") -> list[Any]:
    return [msgspec.convert(message, ToDevice) for message in await scene.told(name)]


async def state(scene: Scene, name: str = "ada") -> TrialState:
    """What his devices were told of the test last."""
    return next(message for message in reversed(await heard(scene, name)) if isinstance(message, TrialState))


async def test_a_test_is_a_proposal_like_any_other_and_says_that_it_is_a_test_r25b(scene: Scene) -> None:
    proposal = await send(scene)
    (message,) = await heard(scene)
    assert isinstance(message, Proposal)
    assert (message.proposal, message.kind, message.seq, message.at) == (proposal, "test", 1, scene.now)
    assert (message.expires_at, message.answer_by) == (scene.now + LIFE_MS, scene.now + LIFE_MS)
    assert (message.booking.services, len(message.booking.windows), message.booking.note) == (("cut",), 1, "")
    assert await scene.items("ada") == [proposal]
    assert await scene.told("ben") == []
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_a_wake_up_brings_it_to_the_gateways_of_his_devices_r25b(scene: Scene) -> None:
    async with scene.store.wakeups(GATEWAY) as wakeups, scene.listening(wakeups) as heard_there:
        await send(scene)
        ((number, frame),) = (await heard_there()).frames
    assert number == scene.numbers["ada"]
    (kept,) = await scene.store.inbox.missed([(scene.market, number, 0)])
    assert kept == [(1, frame)]


@pytest.mark.proves("R25b.c")
async def test_each_device_shows_what_came_back_from_it_r25b(scene: Scene) -> None:
    await scene.connect("ada", "tablet", conn=9)
    proposal = await send(scene)
    assert await confirm(scene, proposal, "tablet") == Marks()  # nothing that is measured of real proposals
    await scene.later(seconds=2)
    await confirm(scene, proposal, "tablet", seen=True)
    told = await state(scene)
    assert (told.proposal, told.state, told.answered_at) == (proposal, "open", None)
    receipts = {one.device: (one.way, one.received_at, one.seen_at) for one in told.receipts}
    assert receipts == {"tablet": ("socket", scene.now - 2_000, scene.now), "phone": ("socket", None, None)}
    await confirm(scene, proposal, "phone")
    before = len(await heard(scene))
    await confirm(scene, proposal, "phone")
    assert len(await heard(scene)) == before, "nothing new, nothing said"


async def test_a_device_that_comes_later_is_shown_too_r25b(scene: Scene) -> None:
    await scene.disconnect("ada")
    proposal = await send(scene, by_device=False)
    await scene.connect("ada", "watch", conn=4)
    await confirm(scene, proposal, "watch", seen=True)
    assert [(one.device, one.seen_at) for one in (await state(scene)).receipts] == [("watch", scene.now)]


async def test_no_crowd_of_devices_makes_a_test_long(scene: Scene) -> None:
    proposal = await send(scene)
    for number in range(40):
        await confirm(scene, proposal, f"made-up-{number}")
    assert len((await state(scene)).receipts) <= 17


@pytest.mark.proves("R25b.c")
async def test_what_the_push_service_said_is_shown_beside_r25b(scene: Scene) -> None:
    await addressed(scene)
    proposal = await send(scene)
    trial = await scene.store.trials.last(scene.market, scene.numbers["ada"])
    assert trial is not None
    assert [(one.way, one.device) for one in trial.receipts] == [("socket", "phone"), ("push", "phone")]
    assert await confirm(scene, proposal, "phone", seen=True) == Marks()
    (push,) = await pushes(scene)  # though it has come by the socket, and is on the screen
    assert (push.id, push.kind, push.device, push.bno) == (proposal, "test", "phone", 0)
    assert await faults(scene.store, scene.market, scene.redis_url) == []
    await scene.store.pushes.sent(push)
    assert [(one.way, one.outcome) for one in (await state(scene)).receipts] == [("socket", None), ("push", "sent")]
    assert (await pushes(scene), await scene.gauge("count.pushes_sent")) == ([], 0)
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_an_answer_leaves_a_push_that_is_under_way_its_outcome_and_takes_back_any_other_r25b(scene: Scene) -> None:
    await addressed(scene)
    await addressed(scene, "tablet", 3)
    proposal = await send(scene)
    under_way, put_off = await pushes(scene)
    await scene.store.pushes.retry(put_off, 0)
    assert await answer(scene, proposal, "accept") == "done"
    assert await pushes(scene) == []
    assert await faults(scene.store, scene.market, scene.redis_url) == []
    await scene.store.pushes.failed(under_way)
    assert {one.device: one.outcome for one in (await state(scene)).receipts if one.way == "push"} == {
        under_way.device: "failed", put_off.device: None,
    }  # fmt: skip
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_what_becomes_of_an_older_test_says_nothing_of_the_newer_one_r25b(scene: Scene) -> None:
    await addressed(scene)
    await send(scene)
    (older,) = await pushes(scene)
    await scene.later(milliseconds=PAUSE_MS)
    newer = await send(scene)
    await scene.store.pushes.sent(older)
    trial = await scene.store.trials.last(scene.market, scene.numbers["ada"])
    assert trial is not None
    assert [one.outcome for one in trial.receipts if one.way == "push"] == [""]
    assert [push.id for push in await pushes(scene)] == [newer]


@pytest.mark.parametrize(("how", "ended"), [("accept", "accepted"), ("refuse", "refused")])
async def test_taking_or_refusing_it_is_done_and_ends_it_on_every_device_r25b(scene: Scene, how: str, ended: str) -> None:
    proposal = await send(scene)
    await confirm(scene, proposal, "phone", seen=True)
    await scene.later(seconds=3)
    assert await answer(scene, proposal, how, command="mine") == "done"
    told = await state(scene)
    assert (told.state, told.answered_at) == (ended, scene.now)
    (withdrawn,) = (message for message in await heard(scene) if isinstance(message, Withdrawn))
    assert (withdrawn.proposal, withdrawn.reason) == (proposal, "answered_elsewhere")
    assert await scene.items("ada") == []
    count = len(await heard(scene))
    assert await answer(scene, proposal, how, command="mine") == "done"
    assert await answer(scene, proposal, "refuse") == "done"
    assert len(await heard(scene)) == count
    assert await faults(scene.store, scene.market, scene.redis_url) == []


async def test_its_answer_is_bound_to_its_id_like_any_other_p4(scene: Scene) -> None:
    proposal = await send(scene)
    assert await answer(scene, proposal, "accept", command="mine") == "done"
    with pytest.raises(BadRequest):
        await answer(scene, proposal, "refuse", command="mine")


@pytest.mark.parametrize("made_up", ["0.2.1", "0.0.1", "0.1.2", "0.1"])
async def test_a_test_that_nobody_sent_was_not_asked(scene: Scene, made_up: str) -> None:
    await send(scene)
    assert [await answer(scene, made_up, how) for how in ("accept", "refuse")] == ["not_asked"] * 2
    await confirm(scene, made_up, "phone", seen=True)
    assert not any(isinstance(message, TrialState) for message in await heard(scene))


async def test_when_its_time_is_over_it_ends_on_every_screen_r25b(scene: Scene) -> None:
    proposal = await send(scene)
    await scene.later(milliseconds=LIFE_MS - 1)
    assert await scene.store.trials.end(scene.market) == 0
    assert await scene.items("ada") == [proposal]
    await scene.later(milliseconds=1)
    assert await scene.store.trials.end(scene.market) == 1
    assert await scene.items("ada") == []
    assert (await scene.heard("ada"))[1:] == ["withdrawn expired", "test expired"]
    assert await answer(scene, proposal, "accept") == "expired"
    assert await scene.store.trials.end(scene.market) == 0


async def test_upkeep_ends_tests_of_every_market(scene: Scene) -> None:
    await send(scene)
    await scene.later(milliseconds=LIFE_MS)
    await Upkeep(scene.store).end_tests()
    assert await scene.items("ada") == []


async def test_a_newer_test_ends_the_older_one_and_they_do_not_come_too_often(scene: Scene) -> None:
    first = await send(scene)
    with pytest.raises(RateLimited):
        await send(scene)
    await scene.later(milliseconds=PAUSE_MS)
    second = await send(scene)
    assert second != first
    assert await scene.items("ada") == [second]
    assert await scene.heard("ada") == ["proposal", "withdrawn expired", "test expired", "proposal"]
    assert await answer(scene, first, "accept") == "not_asked"


async def test_a_repeated_command_sends_no_second_test_p4(scene: Scene) -> None:
    first = await send(scene, command="once")
    await scene.later(milliseconds=PAUSE_MS)
    assert await send(scene, command="once") == first
    assert await scene.heard("ada") == ["proposal"]


async def test_a_command_that_came_too_soon_may_be_repeated(scene: Scene) -> None:
    await send(scene)
    with pytest.raises(RateLimited):
        await send(scene, command="soon")
    await scene.later(milliseconds=PAUSE_MS)
    assert await send(scene, command="soon")


async def test_nobody_is_tested_who_is_not_known(scene: Scene) -> None:
    scene.numbers["nobody"] = 99
    with pytest.raises(NotFound):
        await send(scene, "nobody")


async def test_a_device_that_asks_for_a_test_is_a_sign_of_life_and_the_booking_service_is_none_r40(scene: Scene) -> None:
    await scene.redis.hset(key("provider", scene.market, scene.numbers["ada"]), mapping={"paused": 1, "unanswered": 4})
    await send(scene, by_device=False)
    assert (await scene.desk.provider(scene.market, "ada"))["paused"]
    await scene.later(milliseconds=PAUSE_MS)
    await send(scene)
    assert not (await scene.desk.provider(scene.market, "ada"))["paused"]
    assert await faults(scene.store, scene.market, scene.redis_url) == []


@pytest.mark.parametrize("how", ["accept", "refuse", "expire"])
async def test_it_reaches_no_booking_service_no_metric_of_bookings_and_no_forecast_r25b(scene: Scene, how: str) -> None:
    """With a webhook to send to, and after real proposals: everything that is counted or learned stays as it is."""
    await scene.settings(webhook={"url": "https://example.org/hook", "secret": "whsec_" + "a" * 32})
    await scene.open("b-0")
    await scene.refuse("ada", "b-0")
    before = await counted(scene)
    proposal = await send(scene)
    await confirm(scene, proposal, "phone", seen=True)
    if how == "expire":
        await scene.later(milliseconds=LIFE_MS)
        await scene.store.trials.end(scene.market)
    else:
        await answer(scene, proposal, how)
    assert await counted(scene) == before
    assert await scene.gauge("count.tests") == 1
    assert await faults(scene.store, scene.market, scene.redis_url) == []
    assert said(await scene.store.gauges.read(scene.market)) == await recount(scene.store, scene.market, scene.redis_url)


async def counted(scene: Scene) -> dict[str, Any]:
    """All that a real proposal would change: gauges, what is learned, webhooks, timers, his numbers."""
    market, ada = scene.market, scene.numbers["ada"]
    facts = await scene.redis.hgetall(key("provider", market, ada))
    gauges = await scene.store.gauges.read(market)
    return {
        "gauges": {name: value for name, value in gauges.items() if name not in OURS},
        "habits": await scene.redis.hgetall(key("habits", market)),
        "webhooks": await scene.redis.zrange(key("outbox_due", market), 0, -1),
        "timers": await scene.timers(),
        "his": {name: facts.get(name) for name in (b"live", b"answered", b"unanswered", b"askable")},
        "asked": await scene.candidates(),
        "story": await scene.story("b-0"),
    }


async def test_it_takes_no_seat_of_his_cap_r2(scene: Scene) -> None:
    await scene.settings(open_proposals_cap=1)
    await send(scene)
    assert "ada" in await scene.candidates()
    await scene.open()
    assert (await scene.states())["ada"] == "open"


async def test_what_takes_his_proposals_back_leaves_his_test_alone(scene: Scene) -> None:
    proposal = await send(scene)
    await scene.open("b-1", lead=4)
    await scene.open("b-2", lead=4)
    assert await scene.accept("ada", "b-1") == "won"  # b-2 overlaps
    await scene.provider("ada", status="inactive")
    assert proposal in await scene.items("ada")


async def test_of_two_markets_the_provider_of_the_same_number_hears_nothing_p13(scene: Scene, fresh_market: Callable[[], str]) -> None:
    proposal, elsewhere = await send(scene), fresh_market()
    here, scene.market = scene.market, elsewhere
    await scene.settings()
    await scene.desk.put_catalogue(elsewhere, Catalogue(trades=(Trade(code="hair"),), services=(Service(code="cut", trade="hair"),)))
    number = await scene.provider("ada")
    assert number == int(proposal.rpartition(".")[2])
    assert await scene.told("ada") == []
    assert await answer(scene, proposal, "accept") == "not_asked"
    scene.market = here
    assert (await scene.told("ada"))[-1]["type"] == "proposal"

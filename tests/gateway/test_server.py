"""The door: who may upgrade, who may say hello, and with which code everybody else is sent away. On a real store."""

from pathlib import Path

import anyio
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from dispatch.client import BlockingDeviceClient, Stopped
from dispatch.gateway import Limits
from dispatch.identity import DeviceKeys
from dispatch.store import Store
from dispatch.wire import JSON, MSGPACK, Ack, Codec, Error, Hello, Ping, Pong, Result, Status
from tests.gateway.gate import PATIENCE_S, Bare, Gate, gate

CODECS = pytest.mark.parametrize("codec", [MSGPACK, JSON], ids=lambda codec: codec.name)


async def refusal(url: str, **options: object) -> tuple[int, str]:
    with pytest.raises(InvalidStatus) as raised:
        async with connect(url, proxy=None, compression=None, **options):  # type: ignore[arg-type]
            pass
    return raised.value.response.status_code, (raised.value.response.body or b"").decode()


# -- upgrades -------------------------------------------------------------------------------------------------------


async def test_an_upgrade_without_one_of_our_subprotocols_is_400(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        for offered in (None, ["chat"], ["dispatch.v1"]):
            status, text = await refusal(running.url, subprotocols=offered)
            assert status == 400
            assert "dispatch.v1.msgpack" in text


async def test_another_path_is_404_and_a_token_in_the_url_400(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        offered = [Subprotocol(MSGPACK.subprotocol)]
        assert (await refusal(running.url.replace("/v1/device", "/v2/device"), subprotocols=offered))[0] == 404
        assert (await refusal(running.url + "?token=x", subprotocols=offered))[0] == 400


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        (None, True),
        ("https://app.example.org", True),
        ("https://app.example.org:443", False),
        ("http://app.example.org", False),
        ("https://evil.example.org", False),
        ("https://app.example.org.evil.org", False),
        ("null", False),
    ],
)
async def test_a_browser_connects_from_an_allowed_origin_only(store: Store, market: str, origin: str | None, allowed: bool) -> None:
    async with gate(store, market, origins="https://app.example.org,https://other.example.org") as running:
        if allowed:
            async with running.socket(**({"origin": origin} if origin else {})):
                pass
        else:
            status, _ = await refusal(running.url, subprotocols=[Subprotocol(MSGPACK.subprotocol)], origin=origin)
            assert status == 403


async def test_a_client_of_another_version_is_told_so_by_close_code(store: Store, market: str) -> None:
    async with gate(store, market) as running, running.socket(subprotocols=[Subprotocol("dispatch.v2.json")]) as bare:
        assert (await bare.end())[0] == 4502


async def test_the_first_subprotocol_that_we_speak_is_chosen(store: Store, market: str) -> None:
    offered = [Subprotocol(name) for name in ("dispatch.v9.json", "chat", JSON.subprotocol, MSGPACK.subprotocol)]
    async with gate(store, market) as running, running.socket(subprotocols=offered) as bare:
        assert bare.socket.subprotocol == JSON.subprotocol
        assert bare.socket.protocol.extensions == []


# -- hello ----------------------------------------------------------------------------------------------------------


@CODECS
async def test_a_device_is_welcomed_and_can_be_asked_from_then_on(store: Store, market: str, codec: Codec) -> None:
    async with gate(store, market) as running:
        await running.provider()
        assert not (await store.providers.get(market, "p-1")).reachable
        async with running.device(codec=codec) as (_, (welcome, live)):
            assert (welcome.resumed, welcome.reason, welcome.items, live.seq) == (False, "new", (), 0)
            assert abs(welcome.now - await store.now()) < 1_000
            assert (await store.providers.get(market, "p-1")).reachable


async def test_a_provider_is_not_reachable_any_more_once_his_device_is_gone(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device():
            pass
        with anyio.fail_after(PATIENCE_S):
            while (await store.providers.get(market, "p-1")).reachable:
                await anyio.lowlevel.checkpoint()


async def test_a_device_that_says_no_hello_is_sent_away(store: Store, market: str) -> None:
    async with gate(store, market, Limits(hello_ms=100)) as running, running.socket() as bare:
        assert (await bare.end())[0] == 4006


@pytest.mark.parametrize(
    ("provider", "device", "ttl_s", "said"),
    [
        ("p-1", "d-2", 60, "d-1"),  # the token is another device's
        ("nobody", None, 60, "d-1"),
        ("p-1", None, -60, "d-1"),
    ],
)
async def test_a_token_that_is_not_good_ends_the_link(
    store: Store, market: str, provider: str, device: str | None, ttl_s: int, said: str
) -> None:
    async with gate(store, market) as running, running.socket() as bare:
        await running.provider()
        await bare.say(Hello(token=running.token(provider, device, ttl_s), device=said))
        assert (await bare.end())[0] == 4500


async def test_a_token_of_another_installation_ends_the_link(store: Store, market: str, tmp_path: Path) -> None:
    stranger, _ = DeviceKeys.create(tmp_path / "keys.json").issue(market, "p-1", None, 60)
    async with gate(store, market) as running, running.socket() as bare:
        await running.provider()
        await bare.say(Hello(token=stranger, device="d-1"))
        assert (await bare.end())[0] == 4500


async def test_a_token_of_one_market_opens_no_other(store: Store, market: str) -> None:
    async with gate(store, market) as running, running.socket() as bare:
        await running.provider()
        elsewhere, _ = running.keys.issue("elsewhere", "p-1", None, 60)
        await bare.say(Hello(token=elsewhere, device="d-1"))
        assert (await bare.end())[0] == 4500


async def test_five_devices_are_welcome_and_the_sixth_is_not(store: Store, market: str) -> None:
    async with gate(store, market) as running, anyio.create_task_group() as tasks:
        await running.provider()
        done, connected = anyio.Event(), anyio.Semaphore(0)

        async def stay(number: int) -> None:
            async with running.device(device=f"d-{number}"):
                connected.release()
                await done.wait()

        for number in range(5):
            tasks.start_soon(stay, number)
        for _ in range(5):
            await connected.acquire()
        async with running.socket() as bare:
            await bare.say(Hello(token=running.token(), device="d-6"))
            assert (await bare.end())[0] == 4504
        async with running.device(device="d-3") as (bare, _):  # a device that comes back is no sixth
            await bare.say(Ping())
            assert isinstance(await bare.hear(), Pong)
        done.set()


async def test_a_newer_socket_of_a_device_replaces_the_older_one(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device() as (older, _), running.device() as (newer, _):
            assert (await older.end())[0] == 4503
            await newer.say(Ping())
            assert isinstance(await newer.hear(), Pong)
            assert (await store.providers.get(market, "p-1")).devices == 1


async def test_a_newer_socket_at_another_gateway_replaces_the_older_one_too(store: Store, market: str) -> None:
    async with gate(store, market) as one, gate(store, market) as other:
        await one.provider()
        async with one.device() as (older, _), other.device() as (newer, _):
            assert (await older.end())[0] == 4503
            await newer.say(Ping())
            assert isinstance(await newer.hear(), Pong)


async def test_more_devices_at_the_door_than_it_has_room_for_are_told_to_come_back(store: Store, market: str) -> None:
    async with gate(store, market, Limits(greeting=1)) as running, running.socket(), running.socket() as second:
        code, reason = await second.end()
        assert code == 1013
        assert "after_ms=" in reason


# -- frames ---------------------------------------------------------------------------------------------------------


@CODECS
async def test_a_frame_of_more_than_4_kib_ends_the_link(store: Store, market: str, codec: Codec) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device(codec=codec) as (bare, _):
            await bare.say({"type": "ack", "seq": 0, "x": "a" * 4_096})
            assert (await bare.end())[0] == 4501


async def test_a_frame_of_the_other_kind_ends_the_link(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device(codec=JSON) as (bare, _):
            await bare.socket.send(b'{"type":"ping"}')
            assert (await bare.end())[0] == 4501


async def test_an_enormous_frame_is_not_even_read(store: Store, market: str) -> None:
    async with gate(store, market) as running, running.socket() as bare:
        await bare.socket.send(b"x" * 100_000)
        assert (await bare.end())[0] == 4501


async def test_a_message_that_is_not_offered_is_an_error_and_the_link_lives(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device(codec=JSON) as (bare, _):
            await bare.say({"type": "take_over", "id": "r"})
            error = await bare.hear()
            assert isinstance(error, Error)
            assert (error.id, error.code) == ("r", "bad_request")
            await bare.say(Status(id="s", available=True))
            assert await bare.hear() == Result(id="s", outcome="done")


async def test_the_twenty_first_command_at_once_is_refused_and_a_flood_ends_the_link(store: Store, market: str) -> None:
    async with gate(store, market, Limits(patience=30)) as running:
        await running.provider()
        async with running.device() as (bare, _):
            for number in range(60):
                await bare.say(Status(id=f"s-{number}"))
            answers = [await bare.hear() for _ in range(25)]
            assert [type(answer) for answer in answers[:20]] == [Result] * 20
            assert [answer.code for answer in answers[20:] if isinstance(answer, Error)][-1] == "rate_limited"
            assert (await bare.end())[0] == 4008


# -- time -----------------------------------------------------------------------------------------------------------


async def test_a_device_that_answers_pings_stays_and_one_that_does_not_is_cut_off(store: Store, market: str) -> None:
    async with gate(store, market, Limits(every_ms=50, dead_ms=400)) as running:
        await running.provider()
        async with running.device(device="quiet") as (quiet, _), running.device(device="alive") as (alive, _):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(answer_pings, alive)
                code, _ = await quiet.end()
                tasks.cancel_scope.cancel()
            assert code == 4011
            await alive.say(Status(id="s"))
            assert await alive.hear() == Result(id="s", outcome="done")


async def answer_pings(bare: Bare) -> None:
    while True:
        if isinstance(bare.codec.to_device(await bare.socket.recv(decode=False)), Ping):
            await bare.say(Pong())


async def test_a_link_ends_when_its_token_runs_out(store: Store, market: str) -> None:
    async with gate(store, market) as running, running.socket() as bare:
        await running.provider()
        await bare.say(Hello(token=running.token(ttl_s=1), device="d-1"))
        assert (await bare.end())[0] == 4012


# -- the end --------------------------------------------------------------------------------------------------------


async def test_a_gateway_that_stops_sends_everybody_away_and_leaves_nobody_reachable(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device() as (bare, _), running.socket() as silent:
            running.stop.set()
            assert (await bare.end())[0] == 1012
            assert (await silent.end())[0] == 1012
    assert not (await store.providers.get(market, "p-1")).reachable
    assert "gateway" not in await store.processes()


async def test_the_clients_stop_when_they_are_told_to_and_say_why(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        with pytest.raises(Stopped) as raised:
            async with running.client("nobody") as client:
                await client.live()
        assert raised.value.close_code == 4500

        def blocking() -> int:
            with BlockingDeviceClient(running.url, running.token("nobody"), device="d-1") as device, pytest.raises(Stopped) as stopped:
                device.live(PATIENCE_S)
            return stopped.value.close_code

        assert await anyio.to_thread.run_sync(blocking) == 4500


async def test_acknowledgements_reach_the_store(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        await running.provider()
        async with running.device() as (bare, _):
            booking = await running.book()
            proposal = await bare.hear()
            await bare.say(Ack(seq=proposal.seq, seen=(proposal.proposal,)))
            await times(running, booking, "received_at", "seen_at")


async def times(running: Gate, booking: str, *names: str) -> None:
    """Wait until the first proposal of a booking has these moments."""
    with anyio.fail_after(PATIENCE_S):
        while True:
            (proposal,) = (await running.desk.booking(running.market, booking))["proposals"]
            if all(proposal[name] for name in names):
                return
            await anyio.lowlevel.checkpoint()

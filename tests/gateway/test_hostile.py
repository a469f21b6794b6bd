"""Hostile devices on real sockets: each ends exactly as PROTOCOL.md section 2 says, and the gateway goes on for the others.

The cases come from the inventory of messages (hostile.py). What is not about messages, such as origins, tokens and slowness, stands here.
"""

import base64
import hmac
import json
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from websockets.frames import Opcode

from dispatch.gateway import Limits
from dispatch.identity import AUDIENCE, ISSUER, TYPE
from dispatch.messages import COMMANDS
from dispatch.store import Store
from dispatch.wire import JSON, MSGPACK, Codec, Error, Hello, Malformed, Pong, Refresh, Status
from tests.gateway.gate import Bare, Gate, gate
from tests.gateway.hostile import CODECS, FREE, GOOD, KINDS, WITH_ID, Attack, good, harmless, malformed, wrong_messages
from tests.gateway.raw import framed, raw, upgrade, upgraded

EACH_CODEC = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
UNLIMITED = Limits(burst=10**6, per_minute=10**6, frames_burst=10**6)
BAD_TOKEN, MALFORMED, NO_HELLO, TOO_MANY = 4500, 4501, 4006, 4008
TOO_SOON = "a test was sent just now"  # a limit of its own, beside that on commands


def test_every_message_of_the_inventory_has_hostile_cases() -> None:
    """A new message needs a right example in hostile.py: then it is attacked like all others."""
    assert sorted(GOOD) == sorted(COMMANDS)
    assert all(set(GOOD[kind]) == set(COMMANDS[kind].__struct_fields__) for kind in KINDS), "an example leaves no field out"
    for codec in CODECS:
        for kind in KINDS:
            assert codec.decode(codec.encode(good(kind))), "the examples are right"
            assert len(list(malformed(kind, codec))) > 20
            assert len(list(wrong_messages(kind))) >= 2 * len(GOOD[kind])


# -- frames and messages ----------------------------------------------------------------------------------------------


@asynccontextmanager
async def town(store: Store, market: str, limits: Limits = UNLIMITED) -> AsyncIterator[Gate]:
    async with gate(store, market, limits) as running:
        await running.provider()
        yield running


async def attack(bare: Bare, attack: Attack) -> None:
    await bare.socket.send(attack.frame, text=attack.text)


async def lives(bare: Bare) -> None:
    await bare.say(Status(id="alive"))
    while (answer := await bare.hear()) and getattr(answer, "id", None) != "alive":
        pass
    assert answer.outcome == "done"


@EACH_CODEC
@pytest.mark.parametrize("kind", KINDS)
async def test_a_frame_that_is_no_message_ends_the_link(
    store: Store, market: str, codec: Codec, kind: str, subtests: pytest.Subtests
) -> None:
    async with town(store, market) as running:
        for hostile in malformed(kind, codec):
            with subtests.test(f"first frame: {hostile.name}"):
                async with running.socket(codec) as bare:
                    await attack(bare, hostile)
                    assert (await bare.end())[0] == MALFORMED
            with subtests.test(f"living link: {hostile.name}"):
                async with running.device(codec=codec) as (bare, _):
                    await attack(bare, hostile)
                    assert (await bare.end())[0] == MALFORMED
        async with running.device(codec=codec) as (bare, _):
            await lives(bare)


@EACH_CODEC
async def test_a_message_with_wrong_fields_is_an_error_and_the_link_lives(
    store: Store, market: str, codec: Codec, subtests: pytest.Subtests
) -> None:
    async with town(store, market) as running, running.device(codec=codec) as (bare, _):
        for kind in KINDS:
            for what, message in wrong_messages(kind):
                with subtests.test(what):
                    await bare.say(message)
                    answer = await bare.hear()
                    own = message.get("id")
                    assert isinstance(answer, Error)
                    assert (answer.code, answer.retry) == ("bad_request", False)
                    assert answer.id == (own if isinstance(own, str) and 0 < len(own) <= 64 else None)
        await lives(bare)


@EACH_CODEC
async def test_a_first_message_with_wrong_fields_ends_the_link(store: Store, market: str, codec: Codec, subtests: pytest.Subtests) -> None:
    async with town(store, market) as running:
        for what, message in wrong_messages("hello"):
            with subtests.test(what):
                async with running.socket(codec) as bare:
                    await bare.say(message)
                    assert (await bare.end())[0] == MALFORMED


@EACH_CODEC
async def test_any_message_but_hello_as_the_first_ends_the_link(store: Store, market: str, codec: Codec, subtests: pytest.Subtests) -> None:
    async with town(store, market) as running:
        for kind in sorted(set(KINDS) - {"hello"}):
            with subtests.test(kind):
                async with running.socket(codec) as bare:
                    await bare.say(good(kind))
                    assert (await bare.end())[0] == NO_HELLO


@EACH_CODEC
@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"hello"}))
async def test_a_frame_at_the_edge_of_what_is_allowed_is_understood(store: Store, market: str, codec: Codec, kind: str) -> None:
    async with town(store, market) as running, running.device(codec=codec) as (bare, _):
        for hostile in harmless(kind, codec):
            await attack(bare, hostile)
        await lives(bare)


def test_a_bomb_takes_no_room_to_be_found_out(subtests: pytest.Subtests) -> None:
    """What a frame claims to hold is not prepared for before it is there."""
    for codec in CODECS:
        for hostile in malformed("ack", codec):
            with subtests.test(f"{codec.name}: {hostile.name}"):
                tracemalloc.start()
                try:
                    if hostile.text is codec.text:
                        with pytest.raises(Malformed):
                            codec.decode(hostile.frame)
                    _, most = tracemalloc.get_traced_memory()
                finally:
                    tracemalloc.stop()
                assert most < 512 * 1_024


async def test_text_that_is_no_utf_8_ends_as_rfc_6455_says(store: Store, market: str) -> None:
    async with town(store, market) as running, running.device(codec=JSON) as (bare, _):
        await bare.socket.send(b'{"type":"ping","x":"\xff"}', text=True)
        assert (await bare.end())[0] == 1007


@pytest.mark.parametrize(
    ("what", "data"),
    [
        ("an unmasked frame", b"\x82\x00"),
        ("reserved bits", b"\xc2\x80\x00\x00\x00\x00"),
        ("an unknown opcode", b"\x83\x80\x00\x00\x00\x00"),
        ("a piece of nothing", b"\x80\x80\x00\x00\x00\x00"),
        ("a long ping", b"\x89\xfe\x00\x7e\x00\x00\x00\x00" + b"x" * 126),
        ("a ping in pieces", b"\x09\x80\x00\x00\x00\x00"),
    ],
)
async def test_a_frame_that_breaks_rfc_6455_ends_as_that_says(store: Store, market: str, what: str, data: bytes) -> None:
    async with town(store, market) as running, upgraded(running.port) as connection:
        await connection.send(data)
        assert (await connection.closed())[0] == 1002


@pytest.mark.parametrize("size", [4_097, 2**31, 2**63 - 1])
async def test_a_frame_that_says_it_will_be_too_large_is_not_waited_for(store: Store, market: str, size: int) -> None:
    header = b"\x82\xfe" + size.to_bytes(2) if size < 65_536 else b"\x82\xff" + size.to_bytes(8)
    async with town(store, market) as running, upgraded(running.port) as connection:
        await connection.send(header + b"\x00\x00\x00\x00")
        assert (await connection.closed())[0] == MALFORMED


@pytest.mark.parametrize("piece", [b"", b"x" * 1_000], ids=["empty", "large"])
async def test_a_message_in_pieces_without_end_is_malformed(store: Store, market: str, piece: bytes) -> None:
    async with town(store, market) as running, upgraded(running.port) as connection:
        pieces = [framed(piece, fin=False), *[framed(piece, Opcode.CONT, fin=False)] * 200]
        await connection.send(b"".join(pieces))
        assert (await connection.closed())[0] == MALFORMED


async def test_one_who_does_not_go_after_he_was_told_is_cut_off(store: Store, market: str) -> None:
    async with town(store, market, Limits(goodbye_ms=200)) as running, upgraded(running.port) as connection:
        await connection.send(b"\x82\xff" + (2**40).to_bytes(8) + b"\x00\x00\x00\x00")
        assert (await connection.closed())[0] == MALFORMED
        await connection.gone()
        await nobody_is_there(running)


async def nobody_is_there(running: Gate) -> None:
    with anyio.fail_after(5):
        while running.gateway._everyone:
            await anyio.lowlevel.checkpoint()


# -- floods -----------------------------------------------------------------------------------------------------------


@EACH_CODEC
@pytest.mark.parametrize("kind", WITH_ID)
async def test_the_twenty_first_of_any_message_with_an_id_is_refused_and_a_flood_ends_the_link(
    store: Store, market: str, codec: Codec, kind: str
) -> None:
    limits = Limits(patience=30, per_minute=1)  # so that a slow machine gives nobody further permissions
    async with town(store, market, limits) as running, running.device(codec=codec) as (bare, _):
        for number in range(60):
            await bare.say(good(kind, id=f"m-{number}"))
        answers: list[Any] = []
        while len(answers) < 21:
            if hasattr(answer := await bare.hear(), "id"):  # the first test tells of itself besides
                answers.append(answer)
        codes = [getattr(answer, "code", None) for answer in answers[:20] if not getattr(answer, "message", "").startswith(TOO_SOON)]
        assert "rate_limited" not in codes
        assert isinstance(answers[20], Error)
        assert (answers[20].code, answers[20].retry) == ("rate_limited", True)
        assert answers[20].after_ms
        assert (await bare.end())[0] == TOO_MANY


def test_every_message_without_an_id_is_known_to_be_free_or_said_once() -> None:
    assert sorted({*FREE, *WITH_ID, "hello"}) == KINDS


@pytest.mark.parametrize("kind", FREE)
async def test_a_flood_of_what_is_free_is_read_more_slowly_and_costs_no_command(store: Store, market: str, kind: str) -> None:
    async with town(store, market, Limits(frames_burst=50, frames_per_s=1_000)) as running, running.device() as (bare, _):
        for _ in range(300):
            await bare.say(good(kind))
        for number in range(20):
            await bare.say(Status(id=f"s-{number}"))
        answers = [answer for answer in [await bare.hear() for _ in range(20 + 300 * (kind == "ping"))] if not isinstance(answer, Pong)]
        assert [answer.outcome for answer in answers] == ["done"] * 20


@pytest.mark.parametrize("opcode", [Opcode.PING, Opcode.PONG])
async def test_a_flood_of_control_frames_ends_the_link(store: Store, market: str, opcode: Opcode) -> None:
    async with town(store, market) as running, upgraded(running.port) as connection:
        await connection.send(framed(b"x" * 125, opcode) * 200)
        assert (await connection.closed())[0] == TOO_MANY


async def test_limits_that_are_only_watched_refuse_nothing(store: Store, market: str) -> None:
    async with gate(store, market, Limits(patience=3), rate_limits="watch") as running:
        await running.provider()
        async with running.device() as (bare, _):
            for number in range(60):
                await bare.say(Status(id=f"s-{number}"))
            assert [(await bare.hear()).outcome for _ in range(60)] == ["done"] * 60


# -- slowness ---------------------------------------------------------------------------------------------------------


async def drip(connection: Any, data: bytes, pause_s: float = 0.02) -> None:
    for at in range(len(data)):
        await connection.send(data[at : at + 1])
        await anyio.sleep(pause_s)


@pytest.mark.parametrize("request_", [b"", upgrade()[:-2]], ids=["nothing at all", "a request that never ends"])
async def test_a_connection_that_becomes_no_websocket_in_time_is_cut_off(store: Store, market: str, request_: bytes) -> None:
    async with town(store, market, Limits(hello_ms=300)) as running, raw(running.port) as connection:
        before = time.monotonic()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(drip, connection, request_ * 50, 0.01)
            assert await connection.status() == 0
            tasks.cancel_scope.cancel()
        assert time.monotonic() - before < 5


async def test_a_hello_byte_by_byte_is_no_hello(store: Store, market: str) -> None:
    async with (
        town(store, market, Limits(hello_ms=300)) as running,
        upgraded(running.port) as connection,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(drip, connection, framed(MSGPACK.encode(Hello(token=running.token(), device="d-1"))))
        assert (await connection.closed())[0] == NO_HELLO
        tasks.cancel_scope.cancel()


async def test_a_living_link_on_which_a_frame_never_ends_is_dead(store: Store, market: str) -> None:
    limits = Limits(every_ms=100, dead_ms=400)
    async with town(store, market, limits) as running, upgraded(running.port) as connection, anyio.create_task_group() as tasks:
        await connection.send(framed(MSGPACK.encode(Hello(token=running.token(), device="d-1"))))
        tasks.start_soon(drip, connection, framed(b"x" * 1_000), 0.05)
        assert (await connection.closed())[0] == 4011
        tasks.cancel_scope.cancel()


# -- origins ----------------------------------------------------------------------------------------------------------

OURS = "https://app.example.org"
ORIGINS = [
    ([OURS], 101),
    ([], 101),  # no browser
    ([OURS, OURS], 403),
    ([OURS, "https://evil.example"], 403),
    (["https://evil.example", OURS], 403),
    ([""], 403),
    (["null"], 403),
    ([OURS + "/"], 403),
    ([OURS + ":443"], 403),
    ([OURS + "."], 403),
    ([OURS.upper()], 403),
    ([OURS + "@evil.example"], 403),
    (["https://app.example.org.evil.example"], 403),
    (["https://evil.example/?" + OURS], 403),
    (["https://evil.example#" + OURS], 403),
    (["https://xapp.example.org"], 403),
    (["http://app.example.org"], 403),
    (["wss://app.example.org"], 403),
    (["//app.example.org"], 403),
    (["app.example.org"], 403),
    (["file://"], 403),
    (["*"], 403),
    ([OURS + " https://evil.example"], 403),
    ([OURS + ", https://evil.example"], 403),
    (["https://%61pp.example.org"], 403),
    (["https://xn--pp-4la.example.org"], 403),
]


async def test_no_trick_with_origins_lets_a_strange_page_in(store: Store, market: str, subtests: pytest.Subtests) -> None:
    async with gate(store, market, origins=OURS) as running:
        for origins, status in ORIGINS:
            for name in ("Origin", "oRIGIN"):
                with subtests.test(f"{name}: {origins}"):
                    further = [(name, origin) for origin in origins]
                    async with raw(running.port, upgrade(MSGPACK, "/v1/device", *further)) as connection:
                        assert await connection.status() == status


async def test_an_origin_that_is_no_header_ends_the_request(store: Store, market: str) -> None:
    async with gate(store, market, origins=OURS) as running:
        for origin in (OURS + "\x00", OURS + "\x0b"):
            async with raw(running.port, upgrade(MSGPACK, "/v1/device", ("Origin", origin))) as connection:
                assert await connection.status() in (0, 400)


async def test_without_allowed_origins_no_browser_comes_in(store: Store, market: str) -> None:
    async with gate(store, market) as running:
        for origin in (OURS, "http://127.0.0.1", "null"):
            async with raw(running.port, upgrade(MSGPACK, "/v1/device", ("Origin", origin))) as connection:
                assert await connection.status() == 403


@pytest.mark.parametrize(
    "query",
    ["token=x", "Token=x", "access_token=x", "%74oken=x", "a=1&device_token=", "x=eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJIUzI1NiJ9.e30.AA"],
)
async def test_a_token_in_the_url_is_refused_wherever_it_hides(store: Store, market: str, query: str) -> None:
    async with gate(store, market) as running, raw(running.port, upgrade(MSGPACK, f"/v1/device?{query}")) as connection:
        assert await connection.status() == 400


async def test_compression_is_never_agreed_on(store: Store, market: str) -> None:
    async with gate(store, market) as running, running.socket(compression="deflate") as bare:
        assert bare.socket.protocol.extensions == []


# -- forged tokens ----------------------------------------------------------------------------------------------------

SECRET = b"k" * 32  # of gate.keys_of_test
STRANGER = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forged(at: str, /, *, header: dict[str, Any] | None = None, key: Any = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    now = int(time.time())
    right = {"iss": ISSUER, "aud": AUDIENCE, "sub": "p-1", "market": at, "device": "d-1", "iat": now, "exp": now + 60}
    claims = {name: value for name, value in (right | changes).items() if value is not ...}
    return jwt.encode(claims, key, algorithm, headers={"kid": "test", "typ": TYPE, **(header or {})})


def by_hand(header: bytes, payload: bytes = b"{}", signature: bytes = b"x") -> str:
    return ".".join(map(b64, (header, payload, signature)))


def forgeries(market: str) -> Iterator[tuple[str, str]]:
    """Tokens that must open nothing, and what is wrong with each."""
    now = int(time.time())
    public = STRANGER.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    yield "alg none", forged(market, key=None, algorithm="none")
    for spelling in ("None", "NONE", "nOnE"):
        yield f"alg {spelling}", by_hand(json.dumps({"alg": spelling, "kid": "test", "typ": TYPE}).encode(), b"{}", b"")
    yield "another secret", forged(market, key=b"x" * 32)
    yield "no signature", forged(market).rpartition(".")[0] + "."
    yield "a cut signature", forged(market)[:-4]
    yield "another body under a right signature", swapped(forged(market), forged(market, sub="p-2"))
    yield "another algorithm with the right secret", forged(market, key=SECRET * 2, algorithm="HS512")
    yield "RS256 of a stranger", forged(market, key=STRANGER, algorithm="RS256")
    yield "RS256 of a stranger who brings his key", forged(market, key=STRANGER, algorithm="RS256", header={"jwk": {"kty": "RSA"}})
    yield "HS256 with a public key for a secret", by_hand_signed(public, market)
    yield "a key from the net", forged(market, key=b"x" * 32, header={"jku": "https://evil.example/keys", "x5u": "https://evil.example"})
    yield "a key that is a path", by_hand_signed(b"", market, kid="../../../../dev/null")
    yield "no key", forged(market, header={"kid": ""})
    yield "a key that is a list", by_hand(json.dumps({"alg": "HS256", "kid": ["test"], "typ": TYPE}).encode())
    yield "something critical", forged(market, header={"crit": ["exp"]})
    yield "a body that is elsewhere", forged(market, header={"b64": False, "crit": ["b64"]})
    yield "another type", forged(market, header={"typ": "JWT"})
    yield "no type", forged(market, header={"typ": None})
    yield "another issuer", forged(market, iss="https://evil.example")
    yield "no issuer", forged(market, iss=...)
    yield "another audience", forged(market, aud="dispatch-ops")
    yield "one audience of several", forged(market, aud=[AUDIENCE, "dispatch-ops"])
    yield "no audience", forged(market, aud=...)
    yield "expired", forged(market, exp=now - 60)
    yield "without an end", forged(market, exp=...)
    yield "an end that is no number", forged(market, exp="soon")
    yield "an endless end", forged(market, exp=float("inf"))
    yield "not yet", forged(market, nbf=now + 600)
    yield "from the future", forged(market, iat=now + 600)
    yield "without a beginning", forged(market, iat=...)
    yield "nobody", forged(market, sub=...)
    yield "an unknown provider", forged(market, sub="p-99")
    yield "another market", forged("elsewhere")
    yield "a market that is a list", forged(market, market=[market])
    yield "another device", forged(market, device="d-2")
    yield "a device that is a list", forged(market, device=["d-1"])
    yield "a generation that is no number", forged(market, gen="9")
    yield "a generation that is true", forged(market, gen=True)
    yield "a header lists deep", by_hand(b"[" * 2_000)
    yield "a header maps deep", by_hand(b'{"a":' * 400)
    yield "a header that is a list", by_hand(b"[]")
    yield "a header that is no text", by_hand(b"\xff\xfe")
    yield "two tokens", f"{forged(market)}.{forged(market)}"
    yield "with Bearer before it", f"Bearer {forged(market)}"
    yield "with a newline after it", f"{forged(market)}\n"
    yield "dots", ".."
    yield "not ASCII", "é.è.à"


def swapped(token: str, other: str) -> str:
    head, _, signature = token.split(".")
    return f"{head}.{other.split('.')[1]}.{signature}"


def by_hand_signed(secret: bytes, market: str, kid: str = "test") -> str:
    """PyJWT itself refuses to sign with a public key or nothing, as it should; a forger does not ask it."""
    header = b64(json.dumps({"alg": "HS256", "kid": kid, "typ": TYPE}).encode())
    body = forged(market).split(".")[1]
    return f"{header}.{body}.{b64(hmac.digest(secret, f'{header}.{body}'.encode(), 'sha256'))}"


async def test_the_forger_can_make_a_good_token(store: Store, market: str) -> None:
    async with town(store, market) as running, running.socket() as bare:
        await bare.say(Hello(token=forged(market), device="d-1"))
        assert (await bare.hear()).__struct_config__.tag == "welcome"


@EACH_CODEC
async def test_a_forged_token_opens_nothing(store: Store, market: str, codec: Codec, subtests: pytest.Subtests) -> None:
    async with town(store, market) as running:
        for what, token in forgeries(market):
            with subtests.test(what):
                async with running.socket(codec) as bare:
                    await bare.say(Hello(token=token, device="d-1"))
                    assert (await bare.end())[0] == BAD_TOKEN


async def test_a_forged_token_refreshes_nothing(store: Store, market: str, subtests: pytest.Subtests) -> None:
    async with town(store, market) as running, running.device() as (bare, _):
        for number, (what, token) in enumerate(forgeries(market)):
            with subtests.test(what):
                await bare.say(Refresh(id=f"f-{number}", token=token))
                answer = await bare.hear()
                assert isinstance(answer, Error)
                assert (answer.id, answer.retry) == (f"f-{number}", False)
                assert answer.code in ("unauthorized", "forbidden")
        await lives(bare)


# -- after all that ---------------------------------------------------------------------------------------------------


async def test_while_some_attack_the_others_are_served(store: Store, market: str) -> None:
    async with town(store, market) as running, running.device(device="honest") as (bare, _), anyio.create_task_group() as tasks:

        async def assail(kind: str) -> None:
            for hostile in malformed(kind, MSGPACK):
                async with running.socket() as enemy:
                    await attack(enemy, hostile)
                    await enemy.end()

        for kind in KINDS:
            tasks.start_soon(assail, kind)
        for number in range(20):
            await running.book(hours=4 + number)
            assert (await bare.hear_until("proposal"))[-1].proposal == f"{number + 1}.1.1"
            await bare.say(good("refuse", id=f"r-{number}", proposal=f"{number + 1}.1.1"))
            await bare.hear_until("result")
        await lives(bare)

"""What the engine's user may do and may not, on the real servers, with real commands."""

import re
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from dispatch.errors import ConfigError, Unavailable
from dispatch.store import acl, functions
from dispatch.store.embedded import Embedded, find_binary
from dispatch.store.profile import verify

PASSWORD = "correct-horse-battery"

# Functions run with the caller's rights: what they touch is checked, declared or not.
LIBRARY = """#!lua name=acl_test
redis.register_function('put', function(keys, args) return redis.call('SET', keys[1], 'x') end)
redis.register_function('put_undeclared', function(keys, args) return redis.call('SET', args[1], 'x') end)
redis.register_function('wake', function(keys, args) return redis.call('SPUBLISH', args[1], 'x') end)
redis.register_function('wipe', function(keys, args) return redis.call('FLUSHALL') end)
redis.register_function{function_name = 'look', callback = function(keys) return redis.call('GET', keys[1]) end, flags = {'no-writes'}}
"""


@pytest.fixture(scope="module", params=["bundled", "redis-server"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    program = find_binary() if request.param == "bundled" else shutil.which(request.param)
    if not program:
        pytest.skip("no redis-server on PATH")
    with Embedded(tmp_path_factory.mktemp("acl"), binary=Path(program)) as server:
        yield server


@pytest.fixture
async def admin(server: Embedded) -> AsyncIterator[Redis]:
    async with Redis.from_url(server.url) as client:
        await client.flushall()
        await client.function_load(LIBRARY, replace=True)
        await acl.install(client, "engine", PASSWORD)
        await client.execute_command("ACL", "LOG", "RESET")
        yield client


@pytest.fixture
async def engine(server: Embedded, admin: Redis) -> AsyncIterator[Redis]:
    async with Redis.from_url(server.url, username="engine", password=PASSWORD) as client:
        yield client


ALLOWED = [
    "PING",
    "TIME",
    "INFO server",
    "CONFIG GET appendfsync",
    "FCALL put 1 {paris}:market",
    "FCALL put_undeclared 0 {paris}:market",
    "FCALL put 1 dispatch:markets",
    "FCALL wake 0 {paris}:gw:g1",
    "FCALL wake 0 {paris}:wake",
    "FCALL_RO look 1 {paris}:market",
    "GET {paris}:a",
    "MGET {paris}:a {paris}:b",
    "EXISTS {paris}:a",
    "GETRANGE {paris}:a 0 9",
    "STRLEN {paris}:a",
    "BITCOUNT {paris}:x:0:ask",
    "HGET {paris}:h f",
    "HMGET {paris}:h f g",
    "HGETALL dispatch:keys",
    "HKEYS {paris}:h",
    "HLEN {paris}:h",
    "LRANGE {paris}:l 0 -1",
    "XRANGE {paris}:s - +",
    "XREVRANGE {paris}:s + -",
    "ZRANGE {paris}:z 0 -1",
    "ZRANGEBYSCORE {paris}:z 0 1",
    "ZCARD {paris}:z",
    "ZSCORE {paris}:z a",
    "SMEMBERS dispatch:markets2",
    "SISMEMBER {paris}:set a",
    "SMISMEMBER {paris}:set a b",
    "SCARD {paris}:set",
]

DENIED = [
    # code
    "EVAL 'return 1' 0",
    "EVALSHA 0000000000000000000000000000000000000000 0",
    "SCRIPT LOAD x",
    "FUNCTION LOAD x",
    "FUNCTION DELETE acl_test",
    "FUNCTION FLUSH",
    "FUNCTION DUMP",
    "MODULE LIST",
    # the server
    "CONFIG SET hz 11",
    "CONFIG REWRITE",
    "CONFIG RESETSTAT",
    "ACL LIST",
    "ACL SETUSER engine +@all",
    "SHUTDOWN NOSAVE",
    "REPLICAOF NO ONE",
    "BGREWRITEAOF",
    "SAVE",
    "MONITOR",
    "CLIENT LIST",
    "CLIENT KILL ID 1",
    "CLIENT PAUSE 1",
    "SLOWLOG GET",
    "LATENCY RESET",
    # everyone's keys
    "FLUSHALL",
    "FLUSHDB",
    "SWAPDB 0 1",
    "KEYS *",
    "SCAN 0",
    "RANDOMKEY",
    "DBSIZE",
    "DUMP {paris}:a",
    "MIGRATE host 1 {paris}:a 0 1",
    "SORT {paris}:l BY other_*",
    # keys and channels of others
    "GET other",
    "SET other 1",
    "DEL other",
    "GET paris:a",
    "MGET {paris}:a other",
    "FCALL put 1 other",
    "FCALL put_undeclared 0 other",
    "FCALL_RO look 1 other",
    "FCALL wake 0 other",
    "FCALL wake 0 {paris}:else",
    "FCALL wipe 0",
    "PUBLISH {paris}:gw:g1 x",
]


def split(line: str) -> list[str]:
    return [word.strip("'") for word in re.findall(r"'[^']*'|\S+", line)]


def is_a_denial(error: ResponseError) -> bool:
    """Inside a function a denial has no error class of its own."""
    inside = ("ACL failure in script", "The user executing the script can't")
    return isinstance(error, NoPermissionError) or any(words in str(error) for words in inside)


@pytest.mark.parametrize("line", ALLOWED)
async def test_the_engine_may(engine: Redis, line: str) -> None:
    await engine.execute_command(*split(line))


@pytest.mark.parametrize("line", DENIED)
async def test_the_engine_may_not(engine: Redis, admin: Redis, line: str) -> None:
    await admin.set("other", "kept")
    with pytest.raises(ResponseError) as caught:
        await engine.execute_command(*split(line))
    assert is_a_denial(caught.value), caught.value
    assert await admin.get("other") == b"kept"


@pytest.mark.parametrize("line", [line for line in DENIED if not line.startswith(("SHUTDOWN", "REPLICAOF", "MONITOR"))])
async def test_an_administrator_meets_no_denial_where_the_engine_does(admin: Redis, line: str) -> None:
    """The control of the table above: it is the user that is refused; the command exists."""
    answer: object = None
    try:
        answer = await admin.execute_command(*split(line))
    except ResponseError as error:
        answer = error
    assert not (isinstance(answer, ResponseError) and is_a_denial(answer))
    assert "unknown command" not in str(answer).lower()


async def test_the_engine_hears_its_own_channels_and_no_others(engine: Redis, admin: Redis) -> None:
    async with engine.pubsub() as heard:
        await heard.ssubscribe("{paris}:gw:g1")
        assert (await heard.get_message(timeout=5) or {})["type"] == "ssubscribe"
        await admin.execute_command("SPUBLISH", "{paris}:gw:g1", "wake")
        assert (await heard.get_message(timeout=5) or {})["data"] == b"wake"
    async with engine.pubsub() as deaf:
        await deaf.ssubscribe("other")
        with pytest.raises(NoPermissionError):
            await deaf.get_message(timeout=5)


async def test_an_ordinary_connection_leaves_no_denial_in_the_log(engine: Redis, admin: Redis) -> None:
    await engine.ping()
    await verify(engine, "durable")
    assert {denial["object"] for denial in await admin.acl_log()} <= {*acl.NEWER}


def test_every_command_of_the_server_functions_is_allowed() -> None:
    text = "\n".join(text for folder in ("", "lib") for _, text in functions.sources(folder))
    used = {command.lower() for command in re.findall(r"\bcall\(\s*'([A-Z_]+)'", text)}
    assert len(used) > 20
    assert used - {*acl.READS, *acl.WRITES, *acl.SERVER} == set()


async def test_installing_again_brings_the_user_up_to_date(server: Embedded, admin: Redis, engine: Redis) -> None:
    await admin.execute_command("ACL", "SETUSER", "engine", "+@all", "~*", "&*", ">another-password")
    await acl.install(admin, "engine", PASSWORD)
    with pytest.raises(NoPermissionError):
        await engine.execute_command("KEYS", "*")
    async with Redis.from_url(server.url, username="engine", password="another-password") as stranger:
        with pytest.raises(Exception, match="invalid username-password") as caught:
            await stranger.ping()
    assert isinstance(caught.value.__cause__ or caught.value, AuthenticationError)


async def test_without_an_acl_file_the_user_does_not_survive_a_restart_and_that_is_told(admin: Redis) -> None:
    assert await acl.install(admin, "engine", PASSWORD) is False


async def test_the_line_for_the_acl_file_makes_the_same_user(admin: Redis) -> None:
    words = acl.acl_line("twin", PASSWORD).split()
    assert words[:2] == ["user", "twin"]
    await admin.execute_command("ACL", "SETUSER", *words[1:])
    installed, twin = [await admin.acl_getuser(user) for user in ("engine", "twin")]
    assert {*installed.pop("commands")} - {*twin.pop("commands")} <= {f"+{command}" for command in acl.NEWER}
    assert installed == twin


async def test_the_password_is_never_sent_as_it_is(admin: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    async def record(*words: str) -> None:
        sent.extend(words)

    monkeypatch.setattr(admin, "execute_command", record)
    await acl.install(admin, "engine", PASSWORD)
    assert PASSWORD not in " ".join(sent)


@pytest.mark.parametrize(("user", "password"), [("default", PASSWORD), ("a b", PASSWORD), ("", PASSWORD), ("engine", "short")])
def test_a_bad_name_or_password_is_refused(user: str, password: str) -> None:
    with pytest.raises(ConfigError):
        acl.acl_line(user, password)


async def test_who_may_not_administer_is_told_so(engine: Redis) -> None:
    with pytest.raises(ConfigError, match="URL of an administrator"):
        await acl.install(engine, "other", PASSWORD)


async def test_a_store_that_is_down_is_unavailable(tmp_path: Path) -> None:
    async with Redis.from_url(f"unix://{tmp_path}/nobody") as client:
        with pytest.raises(Unavailable):
            await acl.install(client, "engine", PASSWORD)

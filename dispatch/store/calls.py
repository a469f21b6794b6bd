"""How the rest of the store talks to its server: one factory, one way to call a verb, one mapping of what goes wrong (P15).

Writes are never retried here: every verb carries a request id or a version, so whoever sent it may repeat it.
"""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, cast

import msgpack
import msgspec
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from dispatch.errors import Unavailable
from dispatch.store import keys
from dispatch.store.functions import Clock, Library, library

encode = msgspec.msgpack.Encoder().encode
decode = msgspec.msgpack.Decoder().decode

CONNECTIONS = 64  # a process
PATIENCE_S = 5.0  # for a free connection, and for an answer


def make_redis(url: str, *, connections: int = CONNECTIONS, answers_within_s: float | None = PATIENCE_S) -> "Redis":
    """The one way to a server: a bounded pool that waits, no retries."""
    pool = BlockingConnectionPool.from_url(
        url,
        max_connections=connections,
        timeout=PATIENCE_S,
        socket_timeout=answers_within_s,
        socket_connect_timeout=PATIENCE_S,
        retry=Retry(NoBackoff(), 0),
    )
    return Redis.from_pool(pool)


@asynccontextmanager
async def answering() -> AsyncIterator[None]:
    """Turns whatever the server or the way to it does wrong into Unavailable."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        raise unavailable(error) from error


def unavailable(error: BaseException) -> Unavailable:
    """What is said of an error of the server, or on the way to it."""
    return Unavailable(f"the store does not answer or refuses ({_kind(error)}); retry with the same key or id")


def _kind(error: BaseException) -> str:
    """The server's error code (READONLY, OOM, LOADING...), else the kind of the exception. Never its text, which may quote data."""
    word = str(error).split(" ", 1)[0] if isinstance(error, ResponseError) else ""
    return word if word.isupper() else type(error).__name__


class Calls:
    """A connection pool, the library of verbs on its server, and the clock both agree on."""

    def __init__(self, redis: "Redis", clock: Clock) -> None:
        self.redis = redis
        self.clock = clock
        self.library: Library = library(clock)
        self._names = {verb: self.library.function(verb) for verb in self.library.verbs}

    async def verb(self, name: str, market: str, /, **arguments: Any) -> Mapping[str, Any]:
        """Calls a verb; its reply as a mapping with ``word``. Raises Unavailable."""
        return cast("Mapping[str, Any]", decode(await self.command(*self.call(name, market, **arguments))))

    def call(self, name: str, market: str, /, **arguments: Any) -> tuple[Any, ...]:
        """A verb as a command, for a pipeline; decode its reply with :func:`decode`."""
        return "FCALL", self._names[name], 1, keys.key("market", market), _packed(market, arguments)

    async def pipeline(self, *commands: tuple[Any, ...], transaction: bool = False) -> list[Any]:
        """Plain commands in one round trip."""
        async with answering(), self.redis.pipeline(transaction=transaction) as pipe:
            for command in commands:
                pipe.execute_command(*command)
            return await pipe.execute()

    async def command(self, *command: Any) -> Any:
        """One plain command."""
        async with answering():
            return await self.redis.execute_command(*command)  # type: ignore[no-untyped-call]

    async def now(self) -> int:
        """Engine time (ms) by the server's clock."""
        seconds, micros = (int(part) for part in await self.command("TIME"))
        return self.clock.engine_ms(seconds * 1_000 + micros / 1_000)


def answered(raw: bytes | Exception) -> Mapping[str, Any] | Exception:
    """One verb's reply in a pipeline that goes on after errors."""
    if isinstance(raw, Exception):
        return unavailable(raw)
    return cast("Mapping[str, Any]", decode(raw))


def _packed(market: str, arguments: dict[str, Any]) -> bytes:
    return cast("bytes", msgpack.packb({"m": market, **arguments}, use_bin_type=False))  # bin types are unknown to the server


def wall_ms() -> int:
    """This machine's wall time in ms: for beats and leases, never for a rule."""
    return time.time_ns() // 1_000_000


def text(value: Any) -> str:
    """A reply that may be bytes, as text."""
    return value.decode() if isinstance(value, bytes) else str(value)

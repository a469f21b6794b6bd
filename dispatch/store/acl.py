"""What the engine's user may do in the store: call the server functions, read, and nothing that could harm others.

What the rules can do: name every command (a newer server brings no new rights), hold the user to the engine's keys and channels, and keep
away whatever loads code, changes settings, sees or ends other clients, or walks over all keys. EVAL and FUNCTION are
among them: new functions come with an administrator's `dispatch install` alone.

What they cannot do: make the functions the *only* way to write. In Valkey and Redis a function runs with the rights of its caller: each
command inside it is checked against the caller's rules, and there is no "run as owner". Selectors do not help, being one more way to be
allowed, not a place from where. So the write commands of the functions are granted as such, on the engine's keys; the password of
this user is worth the data of the engine, and no more than that.

CONFIG GET (for the profile, see profile.py) also shows ``requirepass``. Protect the administrator with an ACL user, not with that.
Source: https://valkey.io/topics/acl/
"""

import re
from hashlib import sha256

from redis.asyncio import Redis
from redis.exceptions import RedisError, ResponseError

from dispatch.errors import ConfigError, Unavailable
from dispatch.store import keys

READS = [
    "bitcount", "bitpos", "exists", "get", "getbit", "getrange", "hexists", "hget", "hgetall", "hkeys", "hlen", "hmget", "hvals",
    "lindex", "llen", "lrange", "mget", "pttl", "scard", "sismember", "smembers", "smismember", "srandmember", "strlen", "ttl", "type",
    "xinfo|stream", "xlen", "xrange", "xrevrange", "zcard", "zcount", "zmscore", "zrange", "zrangebyscore", "zrank", "zrevrange",
    "zrevrangebyscore", "zscore",
]  # fmt: skip

# Those that the server functions use; a test compares.
WRITES = [
    "append", "bitfield", "bitop", "decr", "decrby", "del", "expire", "hdel", "hincrby", "hset", "hsetnx", "incr", "incrby", "lpop",
    "lpush", "lrem", "lset", "ltrim", "mset", "persist", "pexpire", "pexpireat", "rename", "rpop", "rpush", "sadd", "set", "setbit",
    "setrange", "spop", "spublish", "srem", "unlink", "xadd", "xdel", "xtrim", "zadd", "zincrby", "zpopmin", "zrem", "zremrangebyrank",
    "zremrangebyscore",
]  # fmt: skip

SERVER = [
    "fcall", "fcall_ro", "ping", "time", "info", "config|get", "multi", "exec", "discard", "watch", "unwatch", "client|id",
    "client|setname", "subscribe", "unsubscribe", "ssubscribe", "sunsubscribe", "asking", "readonly", "command", "cluster|slots",
    "cluster|shards",
]  # fmt: skip

NEWER = ["client|setinfo"]  # commands that a Redis 7.0 does not know

OWN_KEYS = ["{*}:*", "dispatch:*"]  # keys of markets, and those above all markets (keys.py)

SHORTEST_PASSWORD = 16


def rules() -> list[str]:
    """The user's rules but his password, as ACL SETUSER takes them."""
    commands = [f"+{command}" for command in (*READS, *WRITES, *SERVER)]
    channels = [f"&{template.replace('%s', '*')}" for template in keys.CHANNELS.values()]
    return ["reset", "on", *commands, *(f"~{pattern}" for pattern in OWN_KEYS), *channels]


async def install(admin: "Redis", user: str, password: str) -> bool:
    """Create the engine's user, or bring him up to date. Connections he has stay open. Answers whether he survives a restart of the server.

    Without an ``aclfile`` he does not: then the line of :func:`acl_line` belongs into the server's configuration.
    Raises ConfigError when the administrator may not do this, Unavailable when the store does not answer.
    """
    _check(user, password)
    try:
        await _run(admin, "SETUSER", user, *rules(), f"#{_hash(password)}")
        for command in NEWER:
            await _accepted(admin, "SETUSER", user, f"+{command}")
        return await _accepted(admin, "SAVE")
    except ResponseError as error:
        raise ConfigError(f"cannot set up the user {user}: {error}; `dispatch install` needs the URL of an administrator (+acl)") from error
    except RedisError as error:
        raise Unavailable(f"the store does not answer: {error}") from error


def acl_line(user: str, password: str) -> str:
    """The user as a line of an ACL file (`user NAME RULES`) or of the server's configuration."""
    _check(user, password)
    return " ".join(["user", user, *rules(), f"#{_hash(password)}"])


def _check(user: str, password: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", user) or user == "default":
        raise ConfigError(f"{user!r} cannot be the engine's user: letters, digits, - and _ would be right, and not `default`")
    if len(password) < SHORTEST_PASSWORD:
        raise ConfigError(f"the password of {user} is too short: {SHORTEST_PASSWORD} characters or more would be right")


async def _run(admin: "Redis", *command: str) -> None:
    await admin.execute_command("ACL", *command)  # type: ignore[no-untyped-call]


async def _accepted(admin: "Redis", *command: str) -> bool:
    """Run what not every server can."""
    try:
        await _run(admin, *command)
    except ResponseError:
        return False
    return True


def _hash(password: str) -> str:
    """The password as the server keeps it, so that it is never sent or logged."""
    return sha256(password.encode()).hexdigest()

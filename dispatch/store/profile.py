"""What the store promises about an acknowledged write, compared with what its server is set to (P2).

The profile ``durable`` claims that a win that was told is on disk. Only the server's own configuration can make that true, so the
engine reads it at every start and refuses to claim what it does not have.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.exceptions import AuthenticationError, RedisError, ResponseError

from dispatch.errors import ConfigError, Unavailable
from dispatch.settings import Profile
from dispatch.store.passing import passing

log = structlog.get_logger("dispatch.store")

OLDEST = (7, 0)  # functions, sharded pub/sub, ACL selectors


@dataclass(frozen=True, slots=True)
class Rule:
    """One setting of the server that a profile needs, and what goes wrong without it."""

    name: str
    right: str
    otherwise: str


NEVER_EVICT = Rule("maxmemory-policy", "noeviction", "bookings vanish when memory is full")
ON_DISK = (
    Rule("appendonly", "yes", "nothing is on disk until the next snapshot"),
    Rule("appendfsync", "always", "a power cut loses the last second, wins that were told among it"),
    Rule("no-appendfsync-on-rewrite", "no", "while the log is rewritten, nothing is synced to disk"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileReport:
    """What was found: the program, its version, and under ``dev`` what it does not promise."""

    server: str
    version: str
    profile: Profile
    warnings: tuple[str, ...] = ()


async def verify(client: "Redis", profile: Profile) -> ProfileReport:
    """Compare the server with the profile.

    Raises ConfigError that names each setting that is wrong and what would be right, or the permission that is missing to find out;
    Unavailable when the server does not answer.
    """
    facts = await _read(client.info(), "INFO", "+info", profile)
    server, version = _program(facts)
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST:
        raise ConfigError(f"the store is {server} {version}; Valkey, or Redis from {OLDEST[0]}.{OLDEST[1]} on, would be right")
    if facts.get("role") != "master":
        raise ConfigError("the store is a replica, which refuses writes; DISPATCH_REDIS_URL must name the primary")
    names = [rule.name for rule in (NEVER_EVICT, *ON_DISK)]
    settings = await _read(client.config_get(*names), "CONFIG GET", "+config|get", profile)
    needed, wished = ((NEVER_EVICT, *ON_DISK), ()) if profile == "durable" else ((NEVER_EVICT,), ON_DISK)
    if wrong := _wrong(needed, settings):
        raise ConfigError(_refusal(profile, wrong))
    warnings = tuple(map(_words, _wrong(wished, settings)))
    for words in warnings:
        log.warning("profile.weak", profile=profile, why=words)
    return ProfileReport(server=server, version=version, profile=profile, warnings=warnings)


async def _read(asked: Any, command: str, permission: str, profile: Profile) -> Mapping[str, Any]:
    """The answer to a question about the server; a refusal becomes the advice that helps."""
    try:
        answer: Mapping[str, Any] = await asked
    except ResponseError as error:
        if passing(error):
            raise Unavailable(f"the store does not answer: {error}") from error
        raise ConfigError(
            f"the store does not let the engine's user run {command} ({error}), so the profile {profile} cannot be verified. "
            f"Give the user {permission} (`dispatch install` does). On a hosted service without {command}, nobody can vouch for "
            "`durable`: use a server whose configuration can be read"
        ) from error
    except RedisError as error:
        if isinstance(error.__cause__, AuthenticationError):  # while connecting, the client wraps it
            raise ConfigError(f"the store refuses the user or password in DISPATCH_REDIS_URL: {error}") from error
        raise Unavailable(f"the store does not answer: {error}") from error
    return answer


def _program(facts: Mapping[str, Any]) -> tuple[str, str]:
    """Name and version; Valkey tells a Redis version too, for old clients."""
    if "valkey_version" in facts:
        return "Valkey", str(facts["valkey_version"])
    return "Redis", str(facts["redis_version"])


def _wrong(rules: Iterable[Rule], settings: Mapping[str, Any]) -> list[tuple[Rule, str]]:
    return [(rule, found) for rule in rules if (found := str(settings.get(rule.name, "(unknown)"))) != rule.right]


def _words(wrong: tuple[Rule, str]) -> str:
    rule, found = wrong
    return f"{rule.name} is {found}, should be {rule.right}: otherwise {rule.otherwise}"


def _refusal(profile: Profile, wrong: list[tuple[Rule, str]]) -> str:
    remedy = " ".join(f"{rule.name} {rule.right}" for rule, _ in wrong)
    lines = "\n".join(f"  - {_words(each)}" for each in wrong)
    return f"the store cannot keep the profile {profile}:\n{lines}\nRight would be, there and in its file: CONFIG SET {remedy}"

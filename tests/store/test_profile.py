"""The profile is what the server's own configuration says, never a hope."""

import contextlib
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from dispatch.errors import ConfigError, Unavailable
from dispatch.settings import Profile
from dispatch.store.embedded import Embedded
from dispatch.store.profile import verify


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    with Embedded(tmp_path_factory.mktemp("profile")) as server:
        yield server


@contextlib.asynccontextmanager
async def configured(server: Embedded, **changed: str) -> AsyncIterator[Redis]:
    """A client of the server while some of its settings are others."""
    changes = {name.replace("_", "-"): value for name, value in changed.items()}
    async with Redis.from_url(server.url) as client:
        before = await client.config_get(*changes) if changes else {}
        for name, value in changes.items():
            await client.config_set(name, value)
        try:
            yield client
        finally:
            for name, value in before.items():
                await client.config_set(name, value)


async def test_the_embedded_store_keeps_the_durable_profile(server: Embedded) -> None:
    async with configured(server) as client:
        report = await verify(client, "durable")
    assert (report.server, report.profile, report.warnings) == ("Valkey", "durable", ())
    assert report.version.startswith("9.")


async def test_a_redis_of_the_system_keeps_it_as_well(tmp_path: Path) -> None:
    program = shutil.which("redis-server")
    if not program:
        pytest.skip("no redis-server on PATH")
    with Embedded(tmp_path, binary=Path(program)) as server:
        async with configured(server) as client:
            assert (await verify(client, "durable")).warnings == ()


WEAKENED = [
    ({"appendfsync": "everysec"}, "appendfsync is everysec, should be always"),
    ({"appendfsync": "no"}, "appendfsync is no, should be always"),
    ({"appendonly": "no"}, "appendonly is no, should be yes"),
    ({"no_appendfsync_on_rewrite": "yes"}, "no-appendfsync-on-rewrite is yes, should be no"),
]


@pytest.mark.parametrize(("changed", "words"), [*WEAKENED, ({"maxmemory_policy": "allkeys-lru"}, "maxmemory-policy is allkeys-lru")])
async def test_a_server_that_can_lose_a_win_is_refused_and_the_setting_named(server: Embedded, changed: dict[str, str], words: str) -> None:
    async with configured(server, **changed) as client:
        with pytest.raises(ConfigError) as caught:
            await verify(client, "durable")
    assert words in str(caught.value)


async def test_everything_that_is_wrong_is_told_at_once_with_the_remedy(server: Embedded) -> None:
    async with configured(server, appendfsync="everysec", maxmemory_policy="volatile-ttl") as client:
        with pytest.raises(ConfigError) as caught:
            await verify(client, "durable")
    assert "CONFIG SET maxmemory-policy noeviction appendfsync always" in str(caught.value)


@pytest.mark.parametrize(("changed", "words"), WEAKENED)
async def test_dev_warns_of_what_it_does_not_promise(server: Embedded, changed: dict[str, str], words: str) -> None:
    async with configured(server, **changed) as client:
        report = await verify(client, "dev")
    assert len(report.warnings) == 1
    assert words in report.warnings[0]


async def test_even_dev_refuses_a_store_that_evicts(server: Embedded) -> None:
    async with configured(server, maxmemory_policy="allkeys-random") as client:
        with pytest.raises(ConfigError, match="bookings vanish"):
            await verify(client, "dev")


@pytest.mark.parametrize(
    ("rules", "permission"),
    [(["+@all", "-config"], "+config|get"), (["+@all", "-info"], "+info")],
)
@pytest.mark.parametrize("profile", ["durable", "dev"])
async def test_a_user_who_may_not_look_is_told_which_permission_is_missing(
    server: Embedded, rules: list[str], permission: str, profile: Profile
) -> None:
    async with configured(server) as admin:
        await admin.execute_command("ACL", "SETUSER", "blind", "reset", "on", "nopass", "~*", "&*", *rules)
        async with Redis.from_url(server.url, username="blind", password="any") as client:
            with pytest.raises(ConfigError) as caught:
                await verify(client, profile)
        await admin.execute_command("ACL", "DELUSER", "blind")
    assert permission in str(caught.value)


async def test_a_wrong_password_is_a_mistake_in_the_url(server: Embedded) -> None:
    async with Redis.from_url(server.url, username="nobody", password="wrong") as client:
        with pytest.raises(ConfigError, match="user or password in DISPATCH_REDIS_URL"):
            await verify(client, "durable")


async def test_a_replica_is_refused(server: Embedded) -> None:
    async with configured(server) as client:
        await client.execute_command("REPLICAOF", "127.0.0.1", "1")
        try:
            with pytest.raises(ConfigError, match="must name the primary"):
                await verify(client, "durable")
        finally:
            await client.execute_command("REPLICAOF", "NO", "ONE")


async def test_a_server_that_is_too_old_is_refused(server: Embedded, monkeypatch: pytest.MonkeyPatch) -> None:
    async def info_of_old() -> dict[str, str]:
        return {"redis_version": "6.2.14", "role": "master"}

    async with configured(server) as client:
        monkeypatch.setattr(client, "info", info_of_old)
        with pytest.raises(ConfigError, match=r"Redis 6\.2\.14; Valkey, or Redis from 7\.0 on"):
            await verify(client, "durable")


async def test_a_server_that_does_not_answer_is_unavailable_not_misconfigured(tmp_path: Path) -> None:
    async with Redis.from_url(f"unix://{tmp_path}/nobody") as client:
        with pytest.raises(Unavailable):
            await verify(client, "durable")

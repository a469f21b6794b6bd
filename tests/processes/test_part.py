"""A part as a process: heard of while it serves, forgotten when it left, and never silently gone."""

import os

import anyio
import pytest

from dispatch.errors import ConfigError
from dispatch.processes.ops import listen
from dispatch.processes.part import Role, Signs, run
from dispatch.settings import Settings, read
from dispatch.store import Store


@pytest.fixture
def settings(redis_url: str) -> Settings:
    return read(redis_url=redis_url, profile="dev")


async def serve_until_stopped(store: Store, settings: Settings, signs: Signs) -> None:
    signs.ready.set()
    await signs.stop.wait()


async def ask(address: tuple[str, int], path: str) -> bytes:
    async with await anyio.connect_tcp(*address) as stream:
        await stream.send(f"GET {path} HTTP/1.1\r\n\r\n".encode())
        return b"".join([chunk async for chunk in stream])[9:12]


async def test_a_part_is_heard_of_from_readiness_to_its_end(settings: Settings, store: Store) -> None:
    stop, ready = anyio.Event(), anyio.Event()
    before = await store.processes()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: run(Role.API, serve_until_stopped, settings, stop, on_ready=ready.set))
        with anyio.fail_after(10):
            await ready.wait()
        assert (await store.processes())["api"] < 5
        stop.set()
    assert await store.processes() == before or "api" not in await store.processes()


async def test_before_it_is_ready_it_lives_but_is_not_ready(settings: Settings) -> None:
    stop, go, probes = anyio.Event(), anyio.Event(), listen("DISPATCH_OPS_PORT", "127.0.0.1", 0)
    address, ready = probes.getsockname(), anyio.Event()

    async def slow(store: Store, settings: Settings, signs: Signs) -> None:
        await go.wait()
        await serve_until_stopped(store, settings, signs)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: run(Role.WORKER, slow, settings, stop, on_ready=ready.set, probes=probes))
        assert [await ask(address, path) for path in ("/livez", "/readyz")] == [b"200", b"503"]
        go.set()
        with anyio.fail_after(10):
            await ready.wait()
        assert await ask(address, "/readyz") == b"200"
        stop.set()


async def test_its_own_ops_port_is_opened_when_one_is_chosen(settings: Settings) -> None:
    with listen("x", "127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    stop, ready = anyio.Event(), anyio.Event()
    chosen = settings.model_copy(update={"ops_port": port})
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: run(Role.WORKER, serve_until_stopped, chosen, stop, on_ready=ready.set))
        with anyio.fail_after(10):
            await ready.wait()
        assert await ask(("127.0.0.1", port), "/readyz") == b"200"
        stop.set()


async def test_a_part_that_ends_by_itself_has_failed(settings: Settings) -> None:
    async def lazy(store: Store, settings: Settings, signs: Signs) -> None:
        signs.ready.set()

    with pytest.raises(RuntimeError, match="the worker ended by itself"):
        await run(Role.WORKER, lazy, settings, anyio.Event())


async def test_a_part_that_fails_takes_everything_around_it_with_it(settings: Settings) -> None:
    async def broken(store: Store, settings: Settings, signs: Signs) -> None:
        raise ConfigError("wrong")

    with pytest.RaisesGroup(ConfigError):
        await run(Role.WORKER, broken, settings, anyio.Event())


async def test_without_a_store_nothing_starts() -> None:
    with pytest.raises(ConfigError, match="DISPATCH_REDIS_URL"):
        await run(Role.WORKER, serve_until_stopped, read(), anyio.Event())


async def test_each_process_has_a_name_of_its_own(settings: Settings, store: Store) -> None:
    from dispatch.processes.part import Heartbeat

    assert Heartbeat(Role.API).name.endswith(f"-{os.getpid()}")


async def test_one_that_shall_end_is_not_ready_any_more_though_it_serves_for_a_while(settings: Settings, store: Store) -> None:
    stop, done, ready, probes = anyio.Event(), anyio.Event(), anyio.Event(), listen("DISPATCH_OPS_PORT", "127.0.0.1", 0)
    address = probes.getsockname()

    async def draining(store: Store, settings: Settings, signs: Signs) -> None:
        await serve_until_stopped(store, settings, signs)
        await done.wait()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: run(Role.GATEWAY, draining, settings, stop, on_ready=ready.set, probes=probes))
        with anyio.fail_after(10):
            await ready.wait()
            assert await ask(address, "/readyz") == b"200"
            stop.set()
            while await ask(address, "/readyz") != b"503":
                await anyio.lowlevel.checkpoint()
            assert await ask(address, "/livez") == b"200"
            while "gateway" in await store.processes():
                await anyio.lowlevel.checkpoint()
        done.set()

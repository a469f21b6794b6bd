"""The meter of an event loop sees what holds it up."""

import time

import anyio
import anyio.lowlevel
from prometheus_client import REGISTRY

from dispatch.processes.lag import measure


def seen(process: str, name: str = "sum") -> float:
    return REGISTRY.get_sample_value(f"dispatch_loop_lag_seconds_{name}", {"process": process}) or 0.0


async def count_to(process: str, count: int) -> None:
    with anyio.fail_after(10):
        while seen(process, "count") < count:
            await anyio.lowlevel.checkpoint()


async def test_a_call_that_blocks_the_loop_is_seen_with_its_length() -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(measure, "blocked", 0.01)
        await count_to("blocked", 1)
        before = seen("blocked")
        time.sleep(0.2)  # noqa: ASYNC251 - this is the fault
        await count_to("blocked", int(seen("blocked", "count")) + 1)
        assert 0.15 < seen("blocked") - before < 2
        tasks.cancel_scope.cancel()


async def test_processes_are_told_apart() -> None:
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(measure, "one", 0.001)
        await count_to("one", 3)
        tasks.cancel_scope.cancel()
    assert seen("another", "count") == 0

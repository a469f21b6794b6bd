"""Counted is what a kill of ours has ended, not what one was ordered for."""

import asyncio
import subprocess
from pathlib import Path
from random import Random

from campaign.claimants import Claimants
from campaign.crashes import Crashes, Workers
from campaign.state import State
from dispatch.store.embedded import Embedded

STAYS, LEAVES = ["sleep", "60"], ["true"]


def child(command: list[str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(command)


async def test_a_worker_that_was_there_is_ended_and_one_that_was_gone_is_not(tmp_path: Path) -> None:
    workers = Workers("redis://127.0.0.1:1", tmp_path)
    assert not await workers.crash(0)  # not even started
    gone, there = child(LEAVES), child(STAYS)
    workers._processes = [gone, there]
    assert gone.wait() == 0
    assert not await workers.crash(0)
    assert await workers.crash(1)
    assert not await workers.crash(1)
    workers.end()


async def test_a_claimant_that_was_there_is_ended_and_one_that_was_gone_is_not() -> None:
    claimants = Claimants(2, "redis://127.0.0.1:1", 1.0, lambda *_: None)
    assert not await claimants.crash(0)
    gone = await asyncio.create_subprocess_exec(*LEAVES)
    there = await asyncio.create_subprocess_exec(*STAYS)
    claimants._processes = [gone, there]
    assert await gone.wait() == 0
    assert not await claimants.crash(0)
    assert await claimants.crash(1)
    assert not await claimants.crash(1)


async def test_a_store_that_is_gone_already_is_brought_back_and_not_counted(short_dir: Path, tmp_path: Path) -> None:
    with Embedded(short_dir / "data", "dev") as store:
        claimants, workers = Claimants(1, store.url, 1.0, lambda *_: None), Workers(store.url, tmp_path)
        crashes = Crashes(store, claimants, workers, State(seed=1), Random(1), 1.0)
        assert await crashes._crash_store()
        assert store.alive
        store.stop()
        assert not await crashes._crash_store()
        assert store.alive

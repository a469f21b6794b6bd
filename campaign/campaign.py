"""Rounds one after the other until there were enough, a few of them at once, while crashes happen."""

import asyncio
import resource
import shutil
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from campaign import state as states
from campaign.claimant import connected
from campaign.claimants import Claimants
from campaign.crashes import Crashes, Workers, trim
from campaign.rounds import SPEED, Round, again
from campaign.state import State
from dispatch.engine.desk import Desk
from dispatch.gazetteer import Gazetteer
from dispatch.identity import DeviceKeys
from dispatch.store import Store
from dispatch.store.calls import make_redis
from dispatch.store.embedded import Embedded

RACING = 2  # rounds that are prepared or raced at the same time
WAITING = 30  # rounds whose deadlines are still to come, at most
BEAT_S = 1.0
LAST_ROUND_S = 25.0  # to prepare it, race for it and judge it, on a busy machine; its searches come on top


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What a campaign is. ``search_s``: wall seconds of a search; ``every_s``: mean time between two crashes."""

    claims: int = 1_000_000
    seconds: float | None = None
    seed: int = 1
    folder: Path = Path("build/campaign")
    devices: int = 50
    bookings: int = 80
    claimants: int = 3
    search_s: float = 20.0
    every_s: float = 8.0
    thorough: int = 4  # every so many rounds the whole market is looked through

    @property
    def file(self) -> Path:
        """Where its state is."""
        return self.folder / "state.json"

    @property
    def sizes(self) -> dict[str, float]:
        """What makes its rounds what they are: the same from start to start."""
        return {name: getattr(self, name) for name in ("devices", "bookings", "claimants", "search_s", "every_s", "thorough")}


@dataclass(slots=True)
class Campaign:
    """A campaign under way. ``told`` is called whenever its sums have changed."""

    options: Options
    state: State
    store: Store
    desk: Desk
    server: Embedded
    claimants: Claimants
    told: Callable[[State], None]
    rounds: dict[int, Round] = field(default_factory=dict)
    begun: float = field(default_factory=time.monotonic)
    before_s: float = 0.0
    repeated: int = 0

    def hear(self, id_: str, outcome: str, begun: float, ended: float) -> None:
        """A claim was answered; of a round that has been dropped it is a late echo."""
        known = self.rounds.get(int(id_.partition(".")[0]))
        if known is not None:
            known.hear(id_, outcome, begun, ended)

    @property
    def over(self) -> bool:
        """Whether no further round is to begin: there is no time left for it, or enough claims are made or under way."""
        options, under_way = self.options, sum(len(one.claims) for one in self.rounds.values())
        late = options.seconds is not None and time.monotonic() - self.begun > options.seconds - options.search_s - LAST_ROUND_S
        return late or self.state.claims + under_way >= options.claims

    async def run(self) -> None:
        """All rounds, until it is over and each is judged."""
        doors, waiting = asyncio.Semaphore(RACING), asyncio.Semaphore(WAITING)
        async with asyncio.TaskGroup() as tasks:
            while not self.over:
                await doors.acquire()
                await waiting.acquire()
                self.state.started += 1
                self.save()
                tasks.create_task(self._round(self.state.started, doors, waiting))
                await asyncio.sleep(0)

    async def _round(self, number: int, doors: asyncio.Semaphore, waiting: asyncio.Semaphore) -> None:
        options = self.options
        one = self.rounds[number] = Round(
            number, options.seed, self.store, self.desk, devices=options.devices, bookings=options.bookings, search_s=options.search_s
        )
        try:
            await one.prepare()
            await one.race(self.claimants)
        finally:
            doors.release()
        await one.judge(self.state, thoroughly=number % options.thorough == 0, url=self.server.url)
        redis = make_redis(self.server.url, connections=2)
        await one.drop(redis)
        await redis.aclose()
        del self.rounds[number]
        self.save()
        waiting.release()

    async def beat(self) -> None:
        """All devices are still there; and what it costs."""
        while True:
            await asyncio.sleep(BEAT_S)
            for one in list(self.rounds.values()):
                await one.beat()
            facts = await again(lambda: self.store.links._calls.command("INFO", "memory"))
            used = next(int(line.split(b":")[1]) for line in facts.splitlines() if line.startswith(b"used_memory:"))
            self.state.store_mb = max(self.state.store_mb, used / 2**20)
            self.told(self.state)

    def save(self) -> None:
        """What is known goes to disk."""
        self.state.seconds = self.before_s + time.monotonic() - self.begun
        self.state.self_mb = max(self.state.self_mb, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024)
        self.state.repeated += self.claimants.repeated - self.repeated
        self.repeated = self.claimants.repeated
        states.save(self.options.file, self.state)
        self.told(self.state)


async def run(options: Options, state: State, told: Callable[[State], None]) -> None:
    """Goes on with a campaign until it has made its claims, or its time is over."""
    state.starts += 1
    async with _stage(options, state, told) as campaign:
        await campaign.run()
        campaign.save()


@asynccontextmanager
async def _stage(options: Options, state: State, told: Callable[[State], None]) -> AsyncIterator[Campaign]:
    """A fresh store and all processes, until the block ends."""
    data = options.folder / "store"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(parents=True)
    with Embedded(data, "durable") as server:
        store = await connected(server.url, SPEED)
        await trim(server.url)
        desk = Desk(store, Gazetteer(), DeviceKeys.create(options.folder / "keys.json"))
        campaign: Campaign
        claimants = Claimants(options.claimants, server.url, SPEED, lambda *answer: campaign.hear(*answer))
        campaign = Campaign(options, state, store, desk, server, claimants, told, before_s=state.seconds)
        workers = Workers(server.url, options.folder)
        crashes = Crashes(server, claimants, workers, state, Random(f"{options.seed} {state.started} crashes"), options.every_s)
        try:
            async with asyncio.TaskGroup() as tasks:
                around = [tasks.create_task(duty()) for duty in (claimants.run, workers.run, crashes.run, campaign.beat)]
                yield campaign
                for task in around:
                    task.cancel()
        finally:
            workers.end()
            await store.close()

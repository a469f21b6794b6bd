"""One run of the harness: an engine, devices, bookings and faults, all drawn from a seed; then rest, and the verdict."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from dispatch.errors import Later
from dispatch.settings import read
from dispatch.store import Clock, Store
from tests.faults import verdict
from tests.faults.counts import FRAMES, KINDS, WAYS, Fired
from tests.faults.devices import FaultyDevice, Provider
from tests.faults.fleet import Fleet, SlowStore, fleet
from tests.faults.proxy import Proxy
from tests.faults.reach import Reach
from tests.faults.service import MARKET, SEARCH_S, SPEED, BookingService
from tests.faults.trouble import Trouble, lanes
from tests.faults.verdict import End, Findings
from tests.faults.watched import Watched
from tests.store.soundness import faults

ROOT = Path(__file__).resolve().parents[2]
REST_S = SEARCH_S / SPEED + 30.0  # after the last fault; a search that began then must have ended
LOOK_S = 0.2
LIVE_S = 20.0
START_S = 60.0  # for everybody to come in for the first time, on a machine that starts an engine just now


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How large a run is. ``code``: the copy of the engine that is tried. ``each``: how often each kind of fault is to happen."""

    seed: int
    bookings: int = 60
    devices: int = 8
    each: int = 3
    seconds: float = 60.0  # over which bookings are opened
    code: Path = ROOT
    kinds: tuple[str, ...] = KINDS


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of a run."""

    plan: Plan
    fired: Fired
    findings: Findings
    seconds: float = 0.0

    def complaints(self, least: int = 1) -> list[str]:
        """Everything that makes it fail: what was found, and faults that happened too seldom."""
        silent = [kind for kind in self.fired.never(least) if kind in self.plan.kinds]
        return self.findings.lines() + [f"never fired: {kind}" for kind in silent]


@dataclass(slots=True, kw_only=True)
class World:
    """Everything that takes part."""

    plan: Plan
    fleet: Fleet
    proxies: list[Proxy]
    service: BookingService
    providers: list[Provider]
    watched: Watched
    fired: Fired
    reach: Reach
    step: Callable[[str], None] = field(default=lambda _: None)


async def run(plan: Plan, step: Callable[[str], None] = lambda _: None) -> Outcome:
    """One whole run. ``step`` is told what is being done."""
    begun, fired = time.monotonic(), Fired()
    with tempfile.TemporaryDirectory(prefix="d-faults-") as name:
        async with _world(plan, Path(name), fired, step) as world:
            await _play(world)
            step("rest")
            ends = await _rest(world)
            step("verdict")
            findings = verdict.judge(world.watched, ends, world.reach)
            findings.wrong["parts that fell"] += world.fleet.fallen
            findings.wrong["views"] += await _views(world, ends)
            findings.wrong["soundness"] += await _sound(world)
            findings.wrong["metrics"] += await _metrics(world, ends)
    return Outcome(plan=plan, fired=fired, findings=findings, seconds=time.monotonic() - begun)


# -- the beginning ----------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _world(plan: Plan, folder: Path, fired: Fired, step: Callable[[str], None]) -> AsyncIterator[World]:
    """An engine behind three proxies, a market, and everybody connected."""
    step("start")
    devices, api, store_way = proxies = [Proxy(way, fired, Random(f"{plan.seed} {way}")) for way in WAYS]
    store = SlowStore(folder / "store")
    store.start()
    async with devices.listening(), api.listening(), store_way.listening():
        store_way.upstreams = [int(store.url.rpartition(":")[2])]
        async with fleet(plan.code, folder, store, store_way.port, SPEED) as running:
            api.upstreams = [part.port for part in running.of("api")]
            devices.upstreams = [part.port for part in running.of("gateway")]
            clock, watched = await _clock(store), Watched()
            service = BookingService(f"http://127.0.0.1:{api.port}", watched, lambda: clock.engine_ms(time.time() * 1_000), str(plan.seed))
            async with service.client:
                people = [f"p-{number}" for number in range(1, plan.devices + 1)]
                await service.set_up(people)
                async with (
                    _connected(plan, people, f"ws://127.0.0.1:{devices.port}/v1/device", service, watched, fired) as providers,
                    _looked_at(store) as reach,
                ):
                    yield World(
                        plan=plan, fleet=running, proxies=proxies, service=service, providers=providers, watched=watched, fired=fired,
                        reach=reach, step=step,
                    )  # fmt: skip


async def _clock(store: SlowStore) -> Clock:
    """The clock that was given to the engine."""
    direct = await _directly(store)
    await direct.close()
    return direct.clock


@asynccontextmanager
async def _connected(
    plan: Plan, people: Sequence[str], url: str, service: BookingService, watched: Watched, fired: Fired
) -> AsyncIterator[list[Provider]]:
    """Every provider at work."""
    chances = {who: Random(f"{plan.seed} {who}") for who in people}
    devices = [FaultyDevice(url, service.client, who, fired=fired, chance=chances[who]) for who in people]
    providers = [Provider(device, watched, service.left_s, str(plan.seed)) for device in devices]
    async with asyncio.TaskGroup() as tasks:
        working = [tasks.create_task(_at_work(provider, with_faults=not set(FRAMES).isdisjoint(plan.kinds))) for provider in providers]
        async with asyncio.timeout(START_S):
            for device in devices:
                await device.entered.wait()
        yield providers
        for task in working:
            task.cancel()


@asynccontextmanager
async def _looked_at(store: SlowStore) -> AsyncIterator[Reach]:
    """Somebody notes who could be asked."""
    reach = Reach()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(reach.watch(store.url, MARKET))
        yield reach
        reach.over = True


async def _at_work(provider: Provider, *, with_faults: bool) -> None:
    provider.device.faults = with_faults
    async with provider.device:
        await provider.work()


# -- the play ---------------------------------------------------------------------------------------------------------


async def _play(world: World) -> None:
    """Bookings come at a steady pace while faults happen; afterwards the network and the frames are right again."""
    plan = world.plan
    world.step("bookings and faults")
    trouble = Trouble(world.fleet, world.proxies, world.fired, Random(f"{plan.seed} faults"), world.fleet.store.url)
    ids = world.service.booking_ids(plan.bookings)
    async with asyncio.TaskGroup() as tasks:
        for row in lanes(Random(f"{plan.seed} lanes"), plan.kinds, plan.each):
            tasks.create_task(trouble.lane(row))
        for booking in ids:
            tasks.create_task(world.service.book(booking))
            await asyncio.sleep(plan.seconds / plan.bookings)
    for proxy in world.proxies:
        proxy.calm()
    for provider in world.providers:
        await provider.device.calm()


# -- the end ----------------------------------------------------------------------------------------------------------


async def _rest(world: World) -> dict[str, End]:
    """Wait until every part is ready and every booking has ended, at most for as long as that may take; how each ended."""
    await world.fleet.until_ready()
    states: dict[str, str] = {}
    deadline = time.monotonic() + REST_S
    ids = list(world.watched.asked)
    while time.monotonic() < deadline:
        for booking in ids:
            if states.get(booking) not in (*verdict.ENDS, "absent"):
                states[booking] = await _state(world, booking)
        if all(state in (*verdict.ENDS, "absent") for state in states.values()):
            break
        await asyncio.sleep(LOOK_S)
    return {booking: await _end(world, booking) for booking in ids}


async def _state(world: World, booking: str) -> str:
    try:
        found = await world.service.look(booking)
    except Later:
        return "unknown"
    return found.state if found else "absent"


async def _end(world: World, booking: str) -> End:
    """The last word on a booking."""
    found = await _patient(lambda: world.service.look(booking))
    return End(found, await _patient(lambda: world.service.client.timeline(booking)) if found else ())


async def _patient(ask: Callable[[], Any]) -> Any:
    """Asked until it is answered: nothing fails any more, so it must be."""
    for _ in range(50):
        try:
            return await ask()
        except Later:
            await asyncio.sleep(LOOK_S)
    raise AssertionError("the engine does not answer although all faults are over")


async def _views(world: World, ends: dict[str, End]) -> list[str]:
    """P8: what each device shows after it has connected again is what its provider holds, and nothing else."""
    wrong = []
    for provider in world.providers:
        device = provider.device
        right = sorted(booking for booking, end in ends.items() if end.state == "accepted" and end.booking.provider_id == provider.who)
        try:
            async with asyncio.timeout(LIVE_S):
                await device.connected_again()
        except TimeoutError:
            wrong.append(f"{provider.who} is not live again {LIVE_S:g} s after the last fault")
            continue
        if sorted(device.open) != right:
            wrong.append(f"{provider.who} sees {sorted(device.open)}, holds {right}")
    return wrong


async def _sound(world: World) -> list[str]:
    """Whatever else must be true of the market, gauges (P12) and history (P9) among it; asked again while something is still on its way."""
    found: list[str] = []
    store = await _directly(world.fleet.store)
    for _ in range(20):
        found = await _recounted(store, world.fleet.store.url)
        if not found:
            break
        await asyncio.sleep(LOOK_S)
    await store.close()
    return found


async def _recounted(store: Store, url: str) -> list[str]:
    """What a recount finds; of a state that cannot even be counted (a control's), why not."""
    try:
        return await faults(store, MARKET, url)
    except (LookupError, TypeError, ValueError, AssertionError) as error:
        return [f"the state cannot be counted: {error!r}"]


async def _directly(store: SlowStore) -> Store:
    """The store without a proxy, on connections of its own: earlier ones died with it."""
    return await Store.connect(read(redis_url=store.url, dev=True, clock_speed=SPEED), install=False)


async def _metrics(world: World, ends: dict[str, End]) -> list[str]:
    """P12: what an api tells a scraper equals a recount of the timelines."""
    text = await _patient(world.service.client.metrics)
    said = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line and not line.startswith("#")}
    events = [event.type for end in ends.values() for event in end.timeline]
    counted = {"opened": "Opened", "accepted": "Accepted", "cancelled": "Cancelled", "unfilled": "Unfilled", "refused": "Refused"}
    right = {f'dispatch_{name}_total{{market="{MARKET}"}}': events.count(event) for name, event in counted.items()}
    return [f"{name}: said {said.get(name, 0)}, counted {count}" for name, count in right.items() if said.get(name, 0) != count]

"""Real calls of a fire department, replayed as bookings: their places, kinds, priorities and durations, with the real units as providers.

A running engine (`dispatch serve` with a fast clock), HTTP and websockets; promises are judged as in the demo, and the minutes told at the
POST are compared with those it took (R19). The file of calls is read when the bench runs; see docs/explanation/replay.md.
"""

import argparse
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import anyio
from anyio.abc import TaskGroup
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.table import Table

from bench.calls import Call, NoCalls, find, read, timed
from bench.crews import ANSWERS, Busy, Crews
from bench.foresight import FACTOR, Foresight, Wait, good, split
from bench.overlay import LEADS_H, OTHER_LEAD_H, Overlay, booking_id, enough, from_hour, lead_h, overlay, urgency_of
from bench.units import PRICE_CENTS, catalogue, providers
from dispatch.client import BookingClient
from dispatch.client.bookings import BookingRequest, DispatchError, MarketSettings, Opened, Place, WebhookTarget, Window
from dispatch.demo import leaves
from dispatch.demo.city import City
from dispatch.demo.clock import CityClock, ms, zone_for
from dispatch.demo.engine import KEY, Engine, EngineFailed, running
from dispatch.demo.evidence import Evidence
from dispatch.demo.hooks import Listener
from dispatch.demo.numbers import count
from dispatch.demo.options import Options
from dispatch.demo.promises import judge
from dispatch.demo.record import Record
from dispatch.demo.summary import Summary
from dispatch.demo.town import NotReady, Town, read_clock
from dispatch.demo.watch import Watch

MARKET = "calls"
CONNECT_S, REST_S, LOOK_S = 60.0, 5.0, 60.0  # wall, wall, engine
OPENING_AT_ONCE = 32
Classes = Mapping[str, Foresight]
COLUMNS = ("class", "judged", "told", "took", "took / told", f"within {FACTOR:g}", "nobody", "too young", "told nothing", "of these filled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What can be chosen about a replay."""

    calls: Path | None
    days: int
    busy: float
    hours: float
    warm: float
    seconds: float
    speed: float
    start_hour: int
    answers: str
    seed: int
    json: Path | None


@dataclass(slots=True)
class Replay:
    """A run: the calls that come in, the crews who answer, and what was seen. ``told``: the engine's answer to each POST."""

    chosen: Chosen
    overlay: Overlay
    town: Town
    crews: Crews
    watch: Watch
    busy: Busy
    told: dict[str, Opened] = field(default_factory=dict)

    async def live(self, engine: Engine, progress: Progress) -> None:
        """Connects the units, lets the calls come in at their hours, and brings everything to rest."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.crews.carry, self.town)
            if not await self.crews.everybody_online(len(self.town.providers), CONNECT_S):
                raise NotReady(f"only {len(self.crews.online)} units could connect; {dict(self.crews.record.failures)}")
            await self._work(engine, progress)
            await self.crews.at_rest(REST_S)
            await self.watch.gather()
            await self.watch.close_shop()
            tasks.cancel_scope.cancel()

    async def _work(self, engine: Engine, progress: Progress) -> None:
        """The hours of the replay; over after ``seconds`` on the wall at the latest."""
        bar = progress.add_task("calls", total=self.chosen.hours * 60)
        with anyio.move_on_after(self.chosen.seconds):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._look, engine, progress, bar)
                await self._book(tasks)
                tasks.cancel_scope.cancel()

    async def _book(self, tasks: TaskGroup) -> None:
        """Opens each call as a booking at its own hour, without waiting for the answers, until the hours are over."""
        clock, at_once = self.town.clock, anyio.CapacityLimiter(OPENING_AT_ONCE)
        begun = clock.now_ms()
        for number, (after_min, call) in enumerate(from_hour(self.overlay.calls, minute_of(clock.local(begun)), self.chosen.hours), 1):
            await _until(clock, begun + after_min * 60_000)
            tasks.start_soon(self._open, booking_of(call, number, clock.local(clock.now_ms())), at_once)
        await _until(clock, begun + self.chosen.hours * 3_600_000)

    async def _open(self, booking: BookingRequest, at_once: anyio.CapacityLimiter) -> None:
        record = self.crews.record
        record.asked[booking.booking_id] = booking
        try:
            with anyio.CancelScope(shield=True):
                async with at_once:
                    self.told[booking.booking_id] = await self.town.client.open(booking)
            record.opened.add(booking.booking_id)
        except DispatchError as failed:
            record.refusals[failed.code] += 1

    async def _look(self, engine: Engine, progress: Progress, bar: TaskID) -> None:
        """Every engine minute: how many are out, and whether the engine still lives."""
        clock, begun = self.town.clock, self.town.clock.now_ms()
        while True:
            engine.check()
            now = clock.now_ms()
            self.busy.seen.append((now, len(self.crews.out)))
            progress.update(bar, completed=(now - begun) / 60_000, description=f"{clock.local(now):%H:%M} {self._line()}")
            await anyio.sleep(max(0.1, clock.wall(LOOK_S)))

    def _line(self) -> str:
        record = self.crews.record
        return f"{len(record.opened)} bookings, {len(record.wins)} won, {len(self.crews.out)} of {self.busy.units} units out"

    def summary(self, warming: Classes, classes: Classes) -> Summary:
        """What it came to, as the demo says it."""
        record, over = self.crews.record, self.overlay
        return Summary(
            count(self.watch.evidence),
            judge(self.watch.evidence),
            {
                "speed": self.chosen.speed,
                "answers": self.chosen.answers,
                "days": {"laid_over_each_other": len(over.days), "first": str(over.days[0]), "last": str(over.days[-1])},
                "units": self.busy.units,
                "busy": {name: round(getattr(self.busy, name), 3) for name in ("busiest_hour", "peak", "mean")},
                "foreseen_while_warming": {name: asdict(one) for name, one in warming.items()},
                "foreseen": {name: asdict(one) | {"good": one.good} for name, one in classes.items()},
                "refusals": dict(record.refusals),
                "outcomes": dict(record.outcomes),
                "reconnects": record.reconnects,
                "failures": dict(record.failures),
            },
        )


def booking_of(call: Call, number: int, now: datetime) -> BookingRequest:
    """A call as the booking made of it now: a visit after the lead time of its priority, as long as the unit was out."""
    start = now.astimezone(UTC).replace(microsecond=0) + timedelta(hours=lead_h(call.row.priority), minutes=1)
    window = Window(start=start, end=start + timedelta(seconds=round(call.out_min * 60)))
    place = Place(lat=call.row.lat, lng=call.row.lng, address=f"{call.row.lat:.4f}, {call.row.lng:.4f}")
    return BookingRequest(
        booking_id=booking_id(call, number),
        client_id=f"c-{number:06d}",
        place=place,
        services=(call.row.kind,),
        windows=(window,),
        price_cents=PRICE_CENTS,
    )


def minute_of(local: datetime) -> float:
    """Minutes since midnight."""
    return local.hour * 60 + local.minute + local.second / 60


async def _until(clock: CityClock, moment_ms: float) -> None:
    await anyio.sleep(max(0.0, clock.wall((moment_ms - clock.now_ms()) / 1_000)))


def waits(evidence: Evidence, told: dict[str, Opened], begun_ms: int, ended_ms: int) -> list[Wait]:
    """What was told of each booking whose first wave has left, and what it took, from the first look to the last."""
    found = []
    for name, opened in told.items():
        line = evidence.timelines.get(name, [])
        first = next((ms(event.at) for event in line if event.type == "WaveSent"), None)
        if not line or (first is None and opened.expected_minutes is not None):
            continue  # not read back, or in quiet hours: nobody has been asked yet
        won = next((ms(event.at) for event in line if event.type == "Accepted"), None)
        opened_ms = ms(line[0].at)
        since = opened_ms if first is None else first
        took = None if won is None else (won - since) / 60_000
        seen, at = (ended_ms - since) / 60_000, (opened_ms - begun_ms) / 60_000
        found.append(Wait(urgency=opened.urgency, told=opened.expected_minutes, took=took, seen=seen, at=at))
    return found


async def run(chosen: Chosen, console: Console) -> tuple[Summary, bool]:
    """The whole run: its summary, and whether the minutes were foreseen and enough units were busy."""
    known = timed(read(find(chosen.calls)))
    over = overlay(known, chosen.days) if chosen.days else enough(known, chosen.busy, chosen.start_hour * 60, chosen.hours)
    _say_what(console, chosen, over)
    record, zone = Record(), zone_for(chosen.start_hour, datetime.now(UTC))
    ear = Listener(record)
    options = Options(speed=chosen.speed, seed=chosen.seed)
    async with running(options) as engine, BookingClient(engine.http, KEY, MARKET) as client, ear.listening():
        town = await settle(client, over, ear.target, zone=zone, seed=chosen.seed, speed=chosen.speed, devices_url=engine.devices)
        replay = _replay(chosen, over, town, record)
        columns = (TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            await replay.live(engine, progress)
    looks = replay.busy.seen
    warming, classes = split(waits(replay.watch.evidence, replay.told, looks[0][0], looks[-1][0]), chosen.warm * 60)
    _show(console, chosen, replay.busy, warming, classes)
    return replay.summary(warming, classes), good(classes) and replay.busy.busiest_hour >= chosen.busy


def _replay(chosen: Chosen, over: Overlay, town: Town, record: Record) -> Replay:
    people = {provider.id: provider for provider in town.providers}
    evidence = Evidence(record=record, providers=people, speed=chosen.speed, zone=town.clock.zone, market=MARKET)
    crews = Crews(record, town.clock, ANSWERS[chosen.answers](over.history))
    return Replay(chosen, over, town, crews, Watch(evidence, town.client, town.clock), Busy(len(town.providers)))


async def settle(
    client: BookingClient, over: Overlay, hook: WebhookTarget, *, zone: str, seed: int, speed: float, devices_url: str
) -> Town:
    """Creates market, catalogue and units, and reads the engine's clock. Raises NotReady when a unit is refused."""
    units = providers(over.units, over.history)
    await client.put_market(MarketSettings(time_zone=zone, webhook=hook))
    await client.put_catalogue(catalogue(over.history))
    imported = await client.import_providers(unit.line for unit in units)
    if imported.refused:
        raise NotReady(f"{len(imported.refused)} units were refused, the first: {imported.refused[0]}")
    clock = await read_clock(client, units[0], devices_url, speed, ZoneInfo(zone))
    return Town(City(()), units, clock, client, devices_url, seed)


def _say_what(console: Console, chosen: Chosen, over: Overlay) -> None:
    leads = ", ".join(f"{priority}: {hours:g} h ({urgency_of(priority)})" for priority, hours in LEADS_H.items())
    console.print(
        f"{len(over.days)} days ({over.days[0]} to {over.days[-1]}) are laid over each other, each call at its own hour of the day:\n"
        f"{len(over.calls)} calls for {len(over.units)} units, enough to keep "
        f"{100 * over.share_out(chosen.start_hour * 60, chosen.hours):.0f} % of them out if every call were filled.\n"
        f"Lead time by priority: {leads}, others {OTHER_LEAD_H:g} h. Answers after the delays of: {chosen.answers}.",
        highlight=False,
    )


def _show(console: Console, chosen: Chosen, busy: Busy, warming: Classes, classes: Classes) -> None:
    console.print(
        f"Units out, as they told the engine: {100 * busy.busiest_hour:.0f} % in the busiest hour (asked: {100 * chosen.busy:.0f} %),"
        f" {100 * busy.peak:.0f} % at most, {100 * busy.mean:.0f} % over the whole run.",
        highlight=False,
    )
    if warming:
        console.print(_table(f"in the first {chosen.warm:g} hours, not judged", warming))
    console.print(_table("judged", classes))


def _table(when: str, classes: Classes) -> Table:
    title = f"Minutes from the first wave to an accept, told at the POST and taken (medians): {when}"
    table = Table(title=title, title_justify="left")
    for name in COLUMNS:
        table.add_column(name, justify="left" if name == "class" else "right")
    for name, one in classes.items():
        table.add_row(name, *_row(one))
    return table


def _row(one: Foresight) -> tuple[str, ...]:
    colour = "dim" if not one.enough else "green" if one.good else "red"
    near = "-" if one.near is None else f"{100 * one.near:.0f} %"
    ratio = f"[{colour}]{'-' if one.ratio is None else one.ratio}[/]"
    counts = (one.unfilled, one.young, one.told_nothing, one.told_nothing_filled)
    return str(one.judged), str(one.told_min or "-"), str(one.took_min or "-"), ratio, near, *map(str, counts)


def _chosen(argv: list[str]) -> Chosen:
    parser = argparse.ArgumentParser(prog="python -m bench replay", description=__doc__)
    parser.add_argument("--calls", type=Path, help="the csv.gz of calls; else the one in DISPATCH_DATA_SETS, else in ../shared/data")
    parser.add_argument("--days", type=int, default=0, help="days laid over each other; 0: as many as keep enough units busy")
    parser.add_argument("--busy", type=float, default=0.3, help="share of the units that must be out in the busiest hour")
    parser.add_argument("--hours", type=float, default=15.0, help="engine hours of calls")
    parser.add_argument("--warm", type=float, default=7.0, help="first engine hours, of which what was told is shown apart and not judged")
    parser.add_argument("--seconds", type=float, default=3_600.0, help="wall seconds after which the run ends whatever the hours")
    parser.add_argument("--speed", type=float, default=75.0, help="engine seconds in one second on the wall")
    parser.add_argument("--start-hour", type=int, default=7, choices=range(24), metavar="HOUR", help="hour of the day at which it begins")
    parser.add_argument("--answers", choices=sorted(ANSWERS), default="calls", help="whose delays the crews answer with")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="file for the summary")
    found = parser.parse_args(argv)
    if found.days < 0 or not 0 <= found.warm < found.hours or min(found.hours, found.seconds, found.speed) <= 0 or not 0 <= found.busy <= 1:
        parser.error("--hours, --seconds, --speed must be above 0, --days at least 0, --busy from 0 to 1, --warm from 0 to below --hours")
    return Chosen(**vars(found))


def main(argv: list[str]) -> int:
    """`python -m bench replay`. 0: promises kept, minutes foreseen, enough units busy; 1: not so; 2: it could not be run."""
    chosen, console = _chosen(argv), Console(soft_wrap=True)
    came = None
    try:
        came = anyio.run(run, chosen, console)
    except* (NoCalls, EngineFailed, NotReady, DispatchError) as failed:
        for reason in leaves(failed):
            print(reason, file=sys.stderr)
    if came is None:
        return 2
    summary, fine = came
    if chosen.json is not None:
        summary.write(chosen.json)
    summary.show(console)
    return 0 if summary.kept and fine else 1

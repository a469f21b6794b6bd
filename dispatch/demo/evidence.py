"""What the engine says of itself at the end, beside what the demo saw: bookings, timelines and metrics, read over HTTP."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

import anyio

from dispatch.client import BookingClient
from dispatch.client.bookings import Booking, DispatchError, Event, NotFound
from dispatch.demo.clock import CityClock, ms
from dispatch.demo.providers import Provider
from dispatch.demo.record import Record
from dispatch.demo.town import MARKET

READERS = 4  # calls at once: the engine still has waves to send while it is being read


@dataclass(slots=True, kw_only=True)
class Evidence:
    """Everything the promises are judged by. ``read_at`` is engine time when each booking was read; ``played``: whose phone is not ours."""

    record: Record
    providers: dict[str, Provider]
    speed: float
    zone: ZoneInfo
    market: str = MARKET
    bookings: dict[str, Booking] = field(default_factory=dict)
    read_at: dict[str, int] = field(default_factory=dict)
    timelines: dict[str, list[Event]] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)
    states: Counter[str] | None = None
    played: str | None = None

    def by_state(self) -> Counter[str]:
        """Bookings by state: at the end of the day when it is over (``states``), else as read so far; those not read are searching."""
        if self.states is not None:
            return self.states
        read = Counter(booking.state for booking in self.bookings.values())
        return read + Counter(searching=len(self.record.opened - self.bookings.keys()))

    def events(self, kind: str) -> Iterator[tuple[str, Event]]:
        """All events of one type, each with its booking's id."""
        return ((booking_id, event) for booking_id, line in self.timelines.items() for event in line if event.type == kind)

    def wall_ms(self, engine_ms: float) -> float:
        """A length of engine time as it is on the wall."""
        return engine_ms / self.speed


async def read(evidence: Evidence, client: BookingClient, clock: CityClock, ids: Iterable[str]) -> None:
    """Reads bookings and their timelines, some at once; what was read before is replaced. One that does not exist is left out."""
    gate = anyio.CapacityLimiter(READERS)

    async def one(booking_id: str) -> None:
        async with gate:
            try:
                evidence.bookings[booking_id] = await client.booking(booking_id)
                evidence.read_at[booking_id] = clock.now_ms()
                evidence.timelines[booking_id] = await client.timeline(booking_id)
            except NotFound:
                return  # refused, or never arrived
            except DispatchError as failed:
                evidence.record.failures[f"read: {failed.code}"] += 1

    async with anyio.create_task_group() as tasks:
        for booking_id in ids:
            tasks.start_soon(one, booking_id)


def moment(value: object) -> int:
    """A time inside an event as engine ms: RFC 3339 text, or ms already."""
    return value if isinstance(value, int) else ms(datetime.fromisoformat(str(value)))


def owed(wave: Event) -> int:
    """Since when a wave was owed, engine ms: its due time, or the moment at which the engine could send again if that came later."""
    ready = wave.fields.get("ready")
    return max(moment(wave.fields["due"]), 0 if ready is None else moment(ready))


def samples(text: str) -> dict[str, float]:
    """Prometheus' text format as {name{labels}: value}."""
    lines = (line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: float(value) for name, _, value in lines}

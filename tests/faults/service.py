"""The booking service: it sets a market up, opens bookings, cancels some, and looks at them, over a network that fails.

The market is small and everybody in it wants everything. Visits last five minutes of the engine's time and begin 72 minutes after they were
booked at the earliest; a search ends an hour before that, some seconds of wall time after it began.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from math import inf
from random import Random
from typing import Any

import msgspec

from dispatch.client import BookingClient
from dispatch.client.bookings import Backoff, Booking, BookingRequest, Catalogue, MarketSettings, ProviderSettings
from dispatch.errors import Conflict, DispatchError, Later, NotFound, Unprocessable
from tests.faults.devices import IGNORED
from tests.faults.watched import Watched, now

MARKET, PLACE = "faults", {"lat": 48.86, "lng": 2.34}
SPEED = 240.0  # engine seconds in a second
SEARCH_S, LAST_S = 4_320, 3_600  # engine seconds: a search, and from its end to the visit
LONG_S = 40_000
ASK_S = 3.0  # patience with one request
UNTIL_S = 50.0  # and with all its repeats
AGAIN_S = (0.05, 0.5)
TOO_LATE_S = {"too_late": 600, "bad_window": 0}  # what an opening may be told from so many engine seconds before its visit on
SLACK_S = 0.1
READS, QUIET, CANCELLED = 4, 0.1, 0.3
CANCELLED_S = (0.15, 1.5)  # among the first accepts, or later
SETTINGS = {
    "booking_cutoff_s": 600,
    "travel_gap_s": 0,
    "open_proposals_cap": 100,
    "cadence": [{"class": "last_minute", "lead_under_s": None, "size": 6, "pause_s": 480}],
    "answer_s": dict.fromkeys(("last_minute", "same_day", "advance", "far"), LONG_S),
    "search_deadline_s": LAST_S,
    "delivery_grace_s": {"last_minute": 360, "other": 360},
    "quiet_hours": None,
    "horizon_days": 2,
}
CATALOGUE = {"trades": [{"code": "hair"}], "services": [{"code": "cut", "trade": "hair", "minutes": 5}]}
PROVIDER = {"trade": "hair", "catalogue": ["cut"], "zone": {"type": "circle", **PLACE, "radius_km": 6}, "hours": "24/7"}


class BookingService:
    """One caller, who repeats every write with the same key until he knows what became of it."""

    def __init__(self, url: str, watched: Watched, engine_ms: Callable[[], float], seed: str) -> None:
        self.client = BookingClient(url, "dev-key", MARKET, timeout_s=ASK_S, backoff=Backoff(tries=1))
        self.watched, self._engine_ms, self._seed = watched, engine_ms, seed

    async def set_up(self, people: list[str]) -> None:
        """The market and everybody in it."""
        await self.client.put_market(msgspec.convert(SETTINGS, MarketSettings))
        await self.client.put_catalogue(msgspec.convert(CATALOGUE, Catalogue))
        for who in people:
            await self.client.put_provider(who, msgspec.convert({"name": who, **PROVIDER}, ProviderSettings))

    def booking_ids(self, count: int) -> list[str]:
        """The bookings of the run; some of them nobody will take."""
        chance = Random(f"{self._seed} bookings")
        return [f"{IGNORED if chance.random() < QUIET else 'b'}-{number}" for number in range(count)]

    async def book(self, booking: str) -> None:
        """One booking, from its opening to the last look at it in passing."""
        chance = Random(f"{self._seed} {booking}")
        self.watched.ask(booking, "open", "", f"{booking}-open")
        opened = await self._asked(f"{booking}-open", lambda: self._open(booking), chance)
        if opened != "opened":
            return
        async with asyncio.TaskGroup() as tasks:
            if chance.random() < CANCELLED:
                tasks.create_task(self._cancel(booking, Random(chance.random())))
            for _ in range(READS):
                await asyncio.sleep(chance.uniform(0, 1.0))
                with suppress(Later):
                    await self.look(booking)

    async def look(self, booking: str) -> Booking | None:
        """How it stands; None: it is not there. Raises Later when nobody answers."""
        begun = now()
        try:
            found = await self.client.booking(booking)
        except NotFound:
            self.watched.read(booking, begun, "absent", None)
            return None
        self.watched.read(booking, begun, found.state, found.provider_id)
        if found.deadline is not None:
            self.watched.deadlines[booking] = now() + self.left_s(_ms(found.deadline))
            self.watched.windows[booking] = (_ms(found.windows[0].start), _ms(found.windows[0].end))
        return found

    def left_s(self, moment: int) -> float:
        """Wall seconds until a moment of the engine (ms)."""
        return (moment - self._engine_ms()) / 1_000 / SPEED

    async def _open(self, booking: str) -> str:
        start = datetime.fromtimestamp(self._starts(booking) / 1_000, UTC)
        request = {
            "booking_id": booking, "client_id": f"c-{booking}", "place": PLACE, "services": ["cut"],
            "windows": [{"start": start, "end": start + timedelta(minutes=5)}],
        }  # fmt: skip
        try:
            await self.client.open(msgspec.convert(request, BookingRequest), key=f"{booking}-open")
        except Unprocessable as error:
            if self.left_s(self._starts(booking)) > TOO_LATE_S.get(error.code, -inf) / SPEED + SLACK_S:
                raise
            return "too_late"  # the store was away for so long
        return "opened"

    def _starts(self, booking: str) -> int:
        """When the visit begins (engine ms): decided at the first question, and the same in all repeats."""
        known = self.watched.windows.get(booking)
        if known is None:
            start = round(self._engine_ms()) + (LAST_S + SEARCH_S) * 1_000
            known = self.watched.windows[booking] = (start, start + 300_000)
        return known[0]

    async def _cancel(self, booking: str, chance: Random) -> None:
        await asyncio.sleep(chance.uniform(0, chance.choice(CANCELLED_S)))
        self.watched.ask(booking, "cancel", "", f"{booking}-cancel")

        async def ask() -> str:
            try:
                await self.client.cancel(booking, "client", "no longer", key=f"{booking}-cancel")
            except (Conflict, NotFound) as error:
                if error.code not in ("conflict", "not_found"):
                    raise
                return error.code
            return "cancelled"

        await self._asked(f"{booking}-cancel", ask, chance)

    async def _asked(self, id_: str, ask: Callable[[], Awaitable[str]], chance: Random) -> str | None:
        """The answer to a write, asked for until there is one; None: there never was."""
        deadline = now() + UNTIL_S
        while now() < deadline:
            try:
                answer = await ask()
            except Later:
                await asyncio.sleep(chance.uniform(*AGAIN_S))
                continue
            except DispatchError as error:
                answer = f"error {error.code}"
            self.watched.tell(id_, answer)
            return answer
        return None


def _ms(moment: Any) -> int:
    return round(moment.timestamp() * 1_000)

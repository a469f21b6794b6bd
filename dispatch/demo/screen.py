"""What a person sees while the demo runs: one table that lives, or a line now and then."""

from collections.abc import Callable

import anyio
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from dispatch.demo.clock import CityClock
from dispatch.demo.devices import Fleet
from dispatch.demo.evidence import Evidence
from dispatch.demo.numbers import Numbers, count
from dispatch.demo.providers import Provider
from dispatch.demo.summary import figures
from dispatch.demo.town import MARKET

REFRESH_S = 1.0
LINE_S = 10.0


class Screen:
    """Shows how the run goes. ``address`` is the engine's page."""

    def __init__(self, console: Console, address: str, evidence: Evidence, fleet: Fleet, clock: CityClock) -> None:
        self._console, self._address = console, address
        self._evidence, self._fleet, self._clock = evidence, fleet, clock
        self._seat = ""

    def invite(self, provider: Provider) -> None:
        """Says where one of the professionals can be played."""
        self._seat = f"{self._address}app/#market={MARKET}&provider={provider.id}"
        self._console.print(f"Play one of them yourself, {provider.line.name} ({provider.line.trade}): {self._seat}", highlight=False)

    async def table(self) -> None:
        """A table, drawn again every second."""
        with Live(console=self._console, auto_refresh=False, transient=True) as live:
            await _every(REFRESH_S, lambda: live.update(self._picture(), refresh=True))

    async def lines(self) -> None:
        """A line every ten seconds."""
        await _every(LINE_S, lambda: self._console.print(self._line(count(self._evidence)), highlight=False))

    def _picture(self) -> Group:
        table = Table(show_header=False, caption="waves, proposals and times: of bookings that have ended", caption_justify="left")
        for name, value in (*figures(count(self._evidence)), *self._now()):
            table.add_row(name, value)
        now = self._clock.local(self._clock.now_ms())
        head = f"Paris, {now:%A %H:%M}, {self._clock.speed:g} times as fast. See {self._address}  (Ctrl-C ends)"
        return Group(Text(head), *([Text(f"Play one of them: {self._seat}")] if self._seat else []), table)

    def _now(self) -> list[tuple[str, str]]:
        record = self._evidence.record
        return [
            ("devices online", f"{len(self._fleet.online)} of {len(self._evidence.providers)}, {record.reconnects} came back"),
            ("webhooks", f"{len(record.hooks)} heard, {record.hooks_false} false"),
        ]

    def _line(self, n: Numbers) -> str:
        now, unfilled = self._clock.local(self._clock.now_ms()), n.states["unfilled"]
        ends = f"{n.bookings} bookings, {n.filled} filled, {unfilled} unfilled"
        return f"{now:%a %H:%M}  {ends}, {len(self._fleet.online)} devices online, waves late p99 {n.lateness_ms.p99} ms"


async def _every(seconds: float, act: Callable[[], None]) -> None:
    while True:
        act()
        await anyio.sleep(seconds)

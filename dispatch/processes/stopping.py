"""How the outside tells a process to end."""

import signal
from dataclasses import dataclass, field

import anyio
import structlog

log = structlog.get_logger("dispatch.processes")

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True)
class Stop:
    """``asked``: end in good order. ``now``: someone is out of patience."""

    asked: anyio.Event = field(default_factory=anyio.Event)
    now: anyio.Event = field(default_factory=anyio.Event)


async def heed_signals(stop: Stop) -> None:
    """Turn SIGINT, SIGTERM and SIGHUP into a stop, and a second Ctrl-C into one without patience. Runs until cancelled."""
    with anyio.open_signal_receiver(*ENDINGS) as received:
        async for number in received:
            log.info("stopping", signal=signal.Signals(number).name)
            if stop.asked.is_set() and number == signal.SIGINT:
                stop.now.set()
            stop.asked.set()

"""How long each step of a proposal's way takes, from its creation in the store to the provider's answer."""

from collections.abc import Iterable

from dispatch.gateway.frames import Frame
from dispatch.gateway.metrics import RECEIPTS, STEPS
from dispatch.gateway.moments import Moments
from dispatch.store import Clock, Marks


class Latency:
    """Observes the steps. Lengths of engine time become wall seconds, so that a fast demo shows what is really waited."""

    def __init__(self, moments: Moments, clock: Clock) -> None:
        self._moments, self._clock = moments, clock

    def written(self, frame: Frame) -> None:
        """A message of the stream went out to a device that was there when it was made."""
        if frame.head.type == "proposal" and frame.head.at:
            self._engine("written", (self._moments.engine(self._moments.now()) - frame.head.at,))

    def acked(self, took: Iterable[int]) -> None:
        """From writing to the acknowledgement, wall ms."""
        for ms in took:
            STEPS.labels("acked").observe(max(0, ms) / 1_000)

    def marked(self, marks: Marks) -> None:
        """What the store noted first now: receipts, and displays."""
        for delay in marks.received:
            RECEIPTS.observe(self._clock.wall_seconds(delay))
        self._engine("seen", marks.seen)

    def answered(self, took: int | None) -> None:
        """From the display, else from the receipt, to the answer (R22), engine ms; None: nothing was confirmed before it."""
        if took is not None:
            self._engine("answered", (took,))

    def _engine(self, step: str, delays: Iterable[int]) -> None:
        for ms in delays:
            STEPS.labels(step).observe(max(0.0, self._clock.wall_seconds(ms)))

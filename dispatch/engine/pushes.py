"""Pushes: has devices told of a proposal, or of its end, when no socket does. The store says whom and when, and keeps what became of it."""

import time
from types import TracebackType
from typing import Self

import anyio
import structlog
from prometheus_client import Counter, Histogram

from dispatch import webhooks
from dispatch.engine.courier import Courier
from dispatch.errors import Unavailable
from dispatch.push import Kind, Notification, Outcome, PushSender, Verdict
from dispatch.push.services import Services
from dispatch.settings import Settings
from dispatch.store import Push, Store
from dispatch.webhooks import next_attempt_ms

log = structlog.get_logger("dispatch.push")

SEATS = 256  # pushes under way at once: a service that hangs takes many, and the others still have theirs
ATTEMPTS = Counter("dispatch_push_attempts", "Attempts to push, by service (log: nobody was reached) and verdict.", ["service", "verdict"])
SECONDS = Histogram(
    "dispatch_push_seconds",
    "Time an attempt took, by service.",
    ["service"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)


class Pushes:
    """Sends pushes while it is open: ``async with Pushes(store, settings) as pushes``, then ``pushes.once()`` again and again.

    Raises ConfigError when a push service is set up wrongly.
    """

    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._http = webhooks.client(allow_private=settings.allow_private_webhooks)  # browsers' endpoints are chosen by devices
        self._settings = settings
        self._services: Services
        self._courier = Courier(store.pushes.due, self._see_to, SEATS)

    async def __aenter__(self) -> Self:
        try:
            self._services = Services(self._settings, self._http)
        except BaseException:
            await self._http.close()
            raise
        if logged := self._services.logged:
            log.info("push_to_log", services=logged, effect="their devices are not reached without a socket")
        await self._courier.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        try:
            return await self._courier.__aexit__(kind, error, trace)
        finally:
            with anyio.CancelScope(shield=True):
                await self._services.close()
                await self._http.close()

    async def once(self) -> int:
        """Starts every push that is due, as far as there are free seats; how many. Does not wait for the services. Raises Unavailable."""
        return await self._courier.once()

    async def _see_to(self, push: Push) -> None:
        sender = self._services.of(push.address.kind)
        try:
            outcome = await _attempt(sender, push)
            _report(push, sender, outcome)
            await self._settle(push, outcome)
        except Unavailable:
            log.warning("push_unavailable", market=push.market, bno=push.bno, effect="this push is sent again")
        except Exception as mistake:  # a fault of ours; what it says may quote an address
            log.error("push_broken", market=push.market, bno=push.bno, service=sender.name, error=type(mistake).__name__)

    async def _settle(self, push: Push, outcome: Outcome) -> None:
        match outcome.verdict:
            case Verdict.SENT:
                await self._store.pushes.sent(push)
            case Verdict.GONE:
                await self._store.pushes.gone(push)
            case Verdict.FAILED:
                await self._store.pushes.failed(push)
            case Verdict.RETRY:
                pause = outcome.after_ms or next_attempt_ms(push.attempts, f"{push.id}.{push.kind}")
                await self._store.pushes.retry(push, pause)


async def _attempt(sender: PushSender, push: Push) -> Outcome:
    left_s = max(0, push.until_ms // 1_000 - int(time.time()))
    notification = Notification(
        id=push.id, kind=Kind(push.kind), expires_at=push.expires_at, until_s=push.until_ms // 1_000, left_s=left_s
    )  # fmt: skip
    with SECONDS.labels(sender.name).time():
        return await sender.send(push.address.token, notification)


def _report(push: Push, sender: PushSender, outcome: Outcome) -> None:
    ATTEMPTS.labels(sender.name, outcome.verdict.value).inc()
    say = log.info if outcome.verdict is Verdict.SENT else log.warning
    say(
        "push",
        market=push.market,
        bno=push.bno,
        p=push.pno,
        kind=push.kind,
        service=sender.name,
        verdict=outcome.verdict.value,
        status=outcome.status,
        detail=outcome.detail,
        attempts=push.attempts,
    )

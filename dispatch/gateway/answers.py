"""Commands of devices, and the store's answers to them."""

from typing import Any

import structlog

from dispatch.counteroffers import check, horizon_of, rules_of
from dispatch.engine.advice import Advice
from dispatch.engine.aftermath import Aftermath
from dispatch.errors import DispatchError, NotFound
from dispatch.gateway.effects import Effect, Question
from dispatch.gateway.entry import Entry
from dispatch.gateway.frames import Frame
from dispatch.gateway.latency import Latency
from dispatch.gateway.link import Link
from dispatch.gateway.moments import Moments
from dispatch.messages import Accept, Cancel, Counter, FollowUp, Late, Refresh, Refuse, Report, Settings, Status, Sync, Trial
from dispatch.model import Span
from dispatch.store import Store

log = structlog.get_logger("dispatch.gateway")


class Answers:
    """Asks the store on behalf of links."""

    def __init__(self, store: Store, moments: Moments, entry: Entry, latency: Latency) -> None:
        self._store, self._moments, self._entry, self._latency = store, moments, entry, latency
        self._aftermath = Aftermath(store)
        self._advice = Advice(store)

    async def to(self, link: Link, question: Question) -> list[Effect]:
        """What a command has to be answered. Whatever goes wrong is an ``error`` message; the link lives."""
        try:
            return await self._asked(link, question)
        except DispatchError as error:
            return link.session.failed(question, error)
        except Exception:
            log.exception("command_failed")
            return link.session.failed(question, DispatchError("something went wrong here; it has been logged"))

    async def _asked(self, link: Link, question: Question) -> list[Effect]:
        claims, where = self._store.claims, (link.market, link.pno)
        match question:
            case Accept():
                fields = await claims.accept(*where, question.id, question.proposal, question.version, question.window)
                return self._answered(link, question, fields)
            case Refuse():
                return self._answered(link, question, await self._refused(link, question))
            case Counter():
                return self._answered(link, question, await self._countered(link, question))
            case Report() | Cancel() | Late() | Settings() | FollowUp():
                return link.session.answered(question, await self._done(link, question))
            case Trial():
                proposal = await self._store.trials.send(*where, question.id, by_device=True)
                return link.session.answered(question, {"outcome": "sent", "proposal": proposal})
            case Status():
                return await self._status(link, question)
            case Sync():
                return await self._sync(link, question)
            case Refresh():
                return link.session.refreshed(question, await self._entry.renew(link, question.token), self._moments.now())

    async def _done(self, link: Link, question: Report | Cancel | Late | Settings | FollowUp) -> dict[str, Any]:
        """What he says of a proposal, of a visit of his, or of himself."""
        where = link.market, link.pno
        match question:
            case Report():
                return await self._store.claims.report(*where, question.id, question.proposal, question.reason)
            case Cancel():
                return {"outcome": await self._aftermath.give_back(*where, question)}
            case Late():
                return {"outcome": await self._aftermath.will_be_late(*where, question)}
            case Settings():
                return {"outcome": await self._advice.take(*where, question)}
            case FollowUp():
                return {"outcome": await self._store.follow_ups.ask(*where, question.id, question.kind, question.text)}

    def _answered(self, link: Link, question: Accept | Refuse | Counter, fields: dict[str, Any]) -> list[Effect]:
        self._latency.answered(fields.pop("took", None))
        return link.session.answered(question, fields)

    async def _refused(self, link: Link, refuse: Refuse) -> dict[str, Any]:
        """A no; what follows from its reason comes with it (R20)."""
        where = link.market, link.pno
        fields = await self._store.claims.refuse(*where, refuse.id, refuse.proposal, refuse.version, refuse.reason)
        if fields["outcome"] != "done":
            return fields
        suggestion = await self._advice.on_refusal(*where, refuse.proposal, refuse.reason)
        return fields if suggestion is None else fields | {"suggestion": suggestion}

    async def _countered(self, link: Link, counter: Counter) -> dict[str, Any]:
        """Other times of his (R24). Raises BadRequest for windows that are none."""
        market = await self._store.markets.get(link.market)
        if market is None:
            raise NotFound("there is no such market any more")
        windows = [Span(window.start, window.end) for window in counter.windows]
        check(windows, horizon_of(market.settings, market.now))
        what = counter.id, counter.proposal, counter.version, windows, counter.note, rules_of(market.settings)
        return await self._store.counteroffers.make(link.market, link.pno, *what)

    async def _status(self, link: Link, status: Status) -> list[Effect]:
        await self._store.links.status(link.market, link.pno, status.available, status.background, link.name, link.generation)
        link.background = link.background if status.background is None else status.background
        return link.session.answered(status, {"outcome": "done"})

    async def _sync(self, link: Link, sync: Sync) -> list[Effect]:
        """What is open is read first, then what the link was not told up to there; nothing of the stream may pass between."""
        link.held = True  # until the answer is written: the server releases it
        known = await self._store.inbox.open_items(link.market, link.pno)
        (missed,) = await self._store.inbox.missed([(link.market, link.pno, link.session.told)])
        frames = [Frame(data) for _, data in missed]
        return link.session.listed(sync, known.epoch, known.seq, frames, [Frame(item) for item in known.items], self._moments.now())

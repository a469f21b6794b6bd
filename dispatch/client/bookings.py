"""The booking service's side of HTTP: open bookings, follow them, and read the events that come back (PROTOCOL.md section 1).

Every write carries an ``Idempotency-Key``; whatever may have been done without our hearing of it (a time-out, a broken connection,
503, 409 ``in_progress``) is asked again with the *same* key, so that a booking is opened once however often it was asked.
Refusals come back as the exceptions of ``dispatch.errors``, with the engine's ``code``, ``detail`` and ``retry``.
"""

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

import httpx2
import msgspec
from msgspec import Struct
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from dispatch.client.answers import (
    Booking,
    Candidate,
    CounterofferState,
    DeviceToken,
    Direct,
    Event,
    Imported,
    KnownProvider,
    Match,
    NearMiss,
    Opened,
    PersonalLink,
    ProposalState,
    WebhookEvent,
)
from dispatch.client.caller import Backoff, Caller
from dispatch.errors import (
    BadRequest,
    DispatchError,
    NotFound,
    Refused,
    Unauthorized,
)
from dispatch.model import (
    Absence,
    BookingRequest,
    Catalogue,
    CircleZone,
    DailyRange,
    InitialRank,
    MarketSettings,
    Names,
    Place,
    PolygonZone,
    ProviderLine,
    ProviderSettings,
    Service,
    Tier,
    Trade,
    WebhookTarget,
    Window,
)

# What a caller needs to speak with us, from one place: the client, what it sends, what it gets, and how it fails.
__all__ = [
    "Absence",
    "Backoff",
    "Booking",
    "BookingClient",
    "BookingRequest",
    "Candidate",
    "Catalogue",
    "CircleZone",
    "CounterofferState",
    "DailyRange",
    "DeviceToken",
    "Direct",
    "DispatchError",
    "Event",
    "Imported",
    "InitialRank",
    "KnownProvider",
    "MarketSettings",
    "Match",
    "Names",
    "NearMiss",
    "NotFound",
    "Opened",
    "PersonalLink",
    "Place",
    "PolygonZone",
    "ProposalState",
    "ProviderLine",
    "ProviderSettings",
    "Refused",
    "Service",
    "Tier",
    "Trade",
    "WebhookEvent",
    "WebhookTarget",
    "Window",
    "verify_webhook",
]

T = TypeVar("T")


class BookingClient:
    """One caller's connection to one market. Use as an async context manager; safe for many tasks at once.

    Raises the exceptions of ``dispatch.errors``: a ``Refused`` is final, a ``Later`` was already tried ``backoff.tries`` times.
    """

    def __init__(
        self,
        base_url: str,
        key: str,
        market: str,
        *,
        timeout_s: float = 10.0,
        connections: int = 100,
        backoff: Backoff | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        self.market = market
        self._root = f"/v1/markets/{market}"
        self._caller = Caller(
            base_url, key, timeout_s=timeout_s, connections=connections, backoff=backoff or Backoff(), transport=transport
        )

    async def __aenter__(self) -> Self:
        await self._caller.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._caller.__aexit__(kind, error, trace)

    # -- setting a market up ---------------------------------------------------------------------------------------

    async def put_market(self, settings: MarketSettings) -> bool:
        """Creates or replaces the market's settings; whether it is new."""
        return await self._put("", settings)

    async def put_catalogue(self, catalogue: Catalogue) -> bool:
        """Creates or replaces what can be booked; whether it is new."""
        return await self._put("/catalogue", catalogue)

    async def put_provider(self, provider_id: str, settings: ProviderSettings) -> bool:
        """Creates or replaces a provider's settings; whether he is new."""
        return await self._put(f"/providers/{provider_id}", settings)

    async def import_providers(self, lines: Iterable[ProviderLine]) -> Imported:
        """Creates or replaces many providers at once, the more in one call the faster. A bad line is refused alone, the others are taken.

        The answer comes when all are in, however long that takes; ``timeout_s`` does not end it.
        """
        body = b"\n".join(map(msgspec.json.encode, lines))
        answer = await self._caller.call("POST", f"{self._root}/providers/import", body, _NDJSON, patient=True)
        return _read(answer, Imported)

    async def provider(self, provider_id: str) -> dict[str, Any]:
        """A provider as the engine keeps him."""
        return _read(await self._get(f"/providers/{provider_id}"), dict[str, Any])

    async def device_token(self, provider_id: str, device_id: str, ttl_s: int = 3600) -> DeviceToken:
        """A token for one device of a provider, good for ``ttl_s`` seconds."""
        body = {"provider_id": provider_id, "device_id": device_id, "ttl_s": ttl_s}
        return _read(await self._post("/device-tokens", body), DeviceToken)

    async def revoke_tokens(self, provider_id: str, device_id: str | None = None) -> None:
        """Makes worthless what a device (None: each device) of a provider was given to connect with, and ends its socket."""
        device = f"/{device_id}" if device_id is not None else ""
        await self._delete(f"/providers/{provider_id}/devices{device}")

    # -- bookings --------------------------------------------------------------------------------------------------

    async def match(self, booking: BookingRequest, *, explain: bool = False, explain_ids: Iterable[str] = (), limit: int = 50) -> Match:
        """Who would be asked, in which order and when. Changes nothing."""
        body = {**msgspec.to_builtins(booking), "explain": explain, "explain_ids": list(explain_ids), "limit": limit}
        return _read(await self._post("/match", body), Match)

    async def open(self, booking: BookingRequest, *, key: str | None = None) -> Opened:
        """Opens a booking. ``key`` is the idempotency key; pass your own to repeat the call from another process."""
        return _read(await self._post("/bookings", booking, key or _fresh_key()), Opened)

    async def cancel(
        self, booking_id: str, by: Literal["client", "provider", "ops"], reason: str, *, key: str | None = None
    ) -> dict[str, Any]:
        """Cancels a booking in somebody's name."""
        answer = await self._post(f"/bookings/{booking_id}/cancel", {"by": by, "reason": reason}, key or _fresh_key())
        return _read(answer, dict[str, Any])

    async def move(self, booking_id: str, windows: Iterable[Window], *, key: str | None = None) -> dict[str, Any]:
        """Other windows for a booking; whoever held it has the first word."""
        return await self._of_booking(booking_id, "move", {"windows": list(windows)}, key)

    async def complete(self, booking_id: str, *, key: str | None = None) -> dict[str, Any]:
        """The visit took place."""
        return await self._of_booking(booking_id, "complete", {}, key)

    async def no_show(self, booking_id: str, reason: str = "", *, key: str | None = None) -> dict[str, Any]:
        """The client says that the provider did not come; ops are called."""
        return await self._of_booking(booking_id, "no-show", {"reason": reason}, key)

    async def late(self, booking_id: str, minutes: int | None = None, *, key: str | None = None) -> dict[str, Any]:
        """The client says that the provider is late; ops are called."""
        return await self._of_booking(booking_id, "late", {"minutes": minutes}, key)

    async def _of_booking(self, booking_id: str, what: str, body: dict[str, Any], key: str | None) -> dict[str, Any]:
        return _read(await self._post(f"/bookings/{booking_id}/{what}", body, key or _fresh_key()), dict[str, Any])

    async def extend(self, booking_id: str, until: datetime | None = None, *, key: str | None = None) -> dict[str, Any]:
        """Goes on searching for one that is unfilled, until then at the latest."""
        body = {"until": until.isoformat()} if until else {}
        return await self._act(booking_id, "extend", body, key)

    async def bonus(self, booking_id: str) -> list[NearMiss]:
        """Who would get a bonus proposal for a booking that has nobody left, in order (ops)."""
        answer = _read(await self._get(f"/bookings/{booking_id}/bonus"), _Bonus)
        return list(answer.providers)

    async def approve_bonus(
        self, booking_id: str, provider_ids: Iterable[str] | None = None, reason: str = "", *, key: str | None = None
    ) -> list[str]:
        """Confirms bonus proposals (ops): to those named, or (None) to the whole list; whom."""
        named = None if provider_ids is None else list(provider_ids)
        answer = await self._post(f"/bookings/{booking_id}/bonus/approve", {"provider_ids": named, "reason": reason}, key or _fresh_key())
        return list(_read(answer, _Approved).approved)

    # -- who knows whom --------------------------------------------------------------------------------------------

    async def make_link(self, provider_id: str, *, key: str | None = None) -> PersonalLink:
        """A personal link of a provider who has completed a service: send its code as ``link`` with a booking."""
        return _read(await self._post(f"/providers/{provider_id}/links", {}, key or _fresh_key()), PersonalLink)

    async def revoke_link(self, code: str) -> None:
        """Makes a personal link worthless."""
        await self._delete(f"/links/{code}")

    async def known_providers(self, client_id: str, windows: Iterable[Window], services: Iterable[str] = ()) -> list[KnownProvider]:
        """Which of the providers who have served a client are free in some of the windows, best first."""
        asked = [(name, moment.isoformat()) for window in windows for name, moment in (("start", window.start), ("end", window.end))]
        query = str(httpx2.QueryParams([*asked, *(("service", code) for code in services)]))
        answer = await self._get(f"/clients/{client_id}/providers?{query}")
        return list(_read(answer, _Known).providers)

    async def accept_counteroffer(
        self, booking_id: str, counteroffer_id: str, window: int = 0, *, key: str | None = None
    ) -> dict[str, Any]:
        """The client takes a time that a provider proposed: that of index ``window``. Raises Conflict when it is over."""
        answer = await self._post(f"/bookings/{booking_id}/counteroffers/{counteroffer_id}/accept", {"window": window}, key or _fresh_key())
        return _read(answer, dict[str, Any])

    async def decline_counteroffer(self, booking_id: str, counteroffer_id: str, *, key: str | None = None) -> dict[str, Any]:
        """The client does not want them; the search goes on."""
        answer = await self._post(f"/bookings/{booking_id}/counteroffers/{counteroffer_id}/decline", {}, key or _fresh_key())
        return _read(answer, dict[str, Any])

    # -- reading ---------------------------------------------------------------------------------------------------

    async def booking(self, booking_id: str) -> Booking:
        """A booking as it stands."""
        return _read(await self._get(f"/bookings/{booking_id}"), Booking)

    async def timeline(self, booking_id: str) -> list[Event]:
        """Every event of a booking, oldest first."""
        answer = await self._get(f"/bookings/{booking_id}/timeline")
        return [_event(line) for line in _read(answer, dict[str, list[dict[str, Any]]])["events"]]

    # -- by hand: for keys of ops --------------------------------------------------------------------------------------

    async def take_over(self, booking_id: str, reason: str, *, key: str | None = None) -> dict[str, Any]:
        """Takes a booking out of the engine's hands: nobody else moves it. Raises Conflict ``taken_over`` with the name of who has it."""
        return await self._act(booking_id, "take-over", {"reason": reason}, key)

    async def hand_back(self, booking_id: str, reason: str = "", *, key: str | None = None) -> dict[str, Any]:
        """Gives it back: to its holder, else the search goes on."""
        return await self._act(booking_id, "hand-back", {"reason": reason}, key)

    async def assign(
        self,
        booking_id: str,
        provider_id: str,
        reason: str,
        *,
        window: int | None = None,
        override: str | None = None,
        key: str | None = None,
    ) -> dict[str, Any]:
        """Gives it to a provider. ``override``: why it may be against some filter."""
        more = {"override": {"reason": override}} if override else {}
        return await self._act(booking_id, "assign", {"provider_id": provider_id, "reason": reason, "window": window, **more}, key)

    async def reopen(
        self, booking_id: str, provider_id: str, reason: str = "", *, by: Literal["ops", "provider"] = "ops", key: str | None = None
    ) -> dict[str, Any]:
        """Has somebody asked again who was asked before. ``by`` provider: he takes his own no back, and a key for bookings may say so."""
        return await self._act(booking_id, "reopen", {"provider_id": provider_id, "reason": reason, "by": by}, key)

    async def alarms(self) -> list[dict[str, Any]]:
        """What ops must see to, longest first."""
        return _read(await self._get("/ops/alarms"), dict[str, list[dict[str, Any]]])["alarms"]

    async def audit(self, before: int | None = None, limit: int = 50) -> dict[str, Any]:
        """A page of what was done by hand, newest first; ``next`` is the ``before`` of the following one."""
        page = f"limit={limit}" if before is None else f"limit={limit}&before={before}"
        return _read(await self._get(f"/ops/audit?{page}"), dict[str, Any])

    async def _act(self, booking_id: str, what: str, body: dict[str, Any], key: str | None) -> dict[str, Any]:
        return _read(await self._post(f"/bookings/{booking_id}/{what}", body, key or _fresh_key()), dict[str, Any])

    async def follow_ups(self) -> dict[str, Any]:
        """What providers ask of ops: ``open`` and ``done`` ones (R25b)."""
        return _read(await self._get("/ops/follow-ups"), dict[str, Any])

    async def finish_follow_up(self, follow_up_id: str, *, key: str | None = None) -> dict[str, Any]:
        """Somebody of ops has seen to it."""
        return _read(await self._post(f"/ops/follow-ups/{follow_up_id}/done", {}, key or _fresh_key()), dict[str, Any])

    # -- operations ------------------------------------------------------------------------------------------------

    async def ready(self) -> bool:
        """Whether the engine says that it can work. Asked once, never raises."""
        return await self._caller.once("/readyz") == 200

    async def metrics(self) -> str:
        """The engine's counters, in Prometheus' text format."""
        return (await self._caller.call("GET", "/metrics")).text

    # -- the one way out -------------------------------------------------------------------------------------------

    async def _get(self, path: str) -> httpx2.Response:
        return await self._caller.call("GET", self._root + path)

    async def _delete(self, path: str) -> None:
        await self._caller.call("DELETE", self._root + path)

    async def _put(self, path: str, body: Struct) -> bool:
        return (await self._caller.call("PUT", self._root + path, msgspec.json.encode(body), _JSON)).status_code == 201

    async def _post(self, path: str, body: Any, key: str | None = None) -> httpx2.Response:
        headers = _JSON if key is None else {**_JSON, "idempotency-key": key}
        return await self._caller.call("POST", self._root + path, msgspec.json.encode(body), headers)


_JSON = {"content-type": "application/json"}
_NDJSON = {"content-type": "application/x-ndjson"}


class _Bonus(Struct):
    providers: tuple[NearMiss, ...]


class _Approved(Struct):
    approved: tuple[str, ...]


class _Known(Struct):
    providers: tuple[KnownProvider, ...]


def verify_webhook(secret: str, headers: Mapping[str, str], body: bytes) -> WebhookEvent:
    """The event in a webhook's body, once its signature (Standard Webhooks) is found true and not older than five minutes.

    Raises Unauthorized when it is not ours, BadRequest when it is ours but no event. The engine sends at least once: drop ids already seen.
    """
    try:
        said = Webhook(secret).verify(body, dict(headers))
        identity = next(value for name, value in headers.items() if name.lower() == "webhook-id")
        return msgspec.convert({**said, "id": identity}, WebhookEvent)
    except WebhookVerificationError as false:
        raise Unauthorized(f"webhook: {false}") from false
    except (ValueError, TypeError) as unreadable:
        raise BadRequest(f"webhook: {unreadable}") from unreadable


def _read(response: httpx2.Response, kind: type[T]) -> T:
    return msgspec.json.decode(response.content, type=kind)


def _event(line: dict[str, Any]) -> Event:
    named = {name: line.pop(name) for name in ("seq", "at", "type")}
    return msgspec.convert({**named, "fields": line}, Event)


def _fresh_key() -> str:
    return uuid.uuid4().hex

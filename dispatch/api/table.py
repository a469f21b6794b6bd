"""The table of calls: the only list of them. The application, its description and the inventory's tests are made from it."""

from dataclasses import replace
from typing import Any

from dispatch.api import answers, bookings, counteroffers, coverage, direct, follow_ups, hands, markets, operations, providers, push
from dispatch.api.call import METRICS, NOBODY, OPS, OVERRIDE, READ, SET_UP, WORK, Handler, Route
from dispatch.api.stream import Streams
from dispatch.engine.requests import (
    AssignRequest,
    AuditPage,
    BlockQuestion,
    BlockRequest,
    BonusRequest,
    CancelRequest,
    CompleteRequest,
    CounterofferAccept,
    CounterofferDecline,
    CoverageQuestion,
    ExplainQuestion,
    ExtendRequest,
    FollowUpDone,
    HandBackRequest,
    LateRequest,
    LinkRequest,
    MatchRequest,
    MoveRequest,
    NoShowRequest,
    ReopenRequest,
    SearchAgainRequest,
    TakeOverRequest,
    TokenRequest,
    TrialRequest,
)
from dispatch.model import BookingRequest, Catalogue, MarketSettings, ProviderLine, ProviderSettings

MARKET = "/v1/markets/{market}"
PROVIDER = MARKET + "/providers/{provider_id}"
COVERAGE = MARKET + "/coverage"
BLOCK = PROVIDER + "/blocks/{client_id}"
BOOKING = MARKET + "/bookings/{booking_id}"
COUNTEROFFER = BOOKING + "/counteroffers/{counteroffer_id}"


def _get(path: str, handler: Handler, gives: Any, summary: str, roles: frozenset[str] = READ, media: str = "application/json") -> Route:
    return Route(method="GET", path=path, handler=handler, roles=roles, summary=summary, gives=gives, gives_media=media)


def _asking(route: Route, asks: Any) -> Route:
    """With what may stand behind the ? of its path."""
    return replace(route, asks=asks)


def _put(path: str, handler: Handler, takes: Any, summary: str, roles: frozenset[str] = SET_UP, *, creates_market: bool = False) -> Route:
    return Route(
        method="PUT",
        path=path,
        handler=handler,
        roles=roles,
        summary=summary,
        takes=takes,
        gives=answers.Created,
        success=(200, 201),
        creates_market=creates_market,
    )


def _delete(path: str, handler: Handler, summary: str, roles: frozenset[str] = WORK) -> Route:
    return Route(method="DELETE", path=path, handler=handler, roles=roles, summary=summary, success=(204,))


def _post(path: str, handler: Handler, takes: Any, gives: Any, summary: str, roles: frozenset[str] = WORK, status: int = 200) -> Route:
    """A POST that changes something; those that do not are marked with `_free`."""
    return Route(
        method="POST",
        path=path,
        handler=handler,
        roles=roles,
        summary=summary,
        takes=takes,
        gives=gives,
        success=(status,),
        idempotent=True,
    )


def _free(route: Route) -> Route:
    """A POST that may be repeated as it is: it takes no Idempotency-Key."""
    return replace(route, idempotent=False)


def _listing(route: Route, query: tuple[str, ...]) -> Route:
    """A GET that is asked something in its query; each name may stand several times."""
    return replace(route, query=query)


CALLS: tuple[Route, ...] = (
    _put(MARKET, markets.put_market, MarketSettings, "Create a market, or replace its settings", creates_market=True),
    _put(f"{MARKET}/catalogue", markets.put_catalogue, Catalogue, "Replace the catalogue: trades and services"),
    _put(f"{MARKET}/areas", markets.put_areas, dict[str, Any], "Replace the market's own areas: a GeoJSON FeatureCollection"),
    _put(PROVIDER, providers.put_provider, ProviderSettings, "Create a provider, or replace his settings"),
    Route(
        method="POST",
        path=f"{MARKET}/providers/import",
        handler=providers.import_providers,
        roles=SET_UP,
        summary="Create or replace many providers: NDJSON, one a line, streamed",
        streams=ProviderLine,
        gives=answers.Imported,
    ),
    _get(PROVIDER, providers.get_provider, answers.ProviderState, "A provider as the engine keeps him"),
    _get(f"{PROVIDER}/inbox", providers.get_inbox, answers.Inbox, "Everything open for him, as his devices have it"),
    _post(f"{PROVIDER}/test", providers.test_provider, TrialRequest, answers.TrialState, "Send him a test proposal", status=201),
    _get(f"{PROVIDER}/test", providers.get_test, answers.TrialState, "His last test proposal, and what came back of it"),
    _asking(_put(BLOCK, providers.put_provider_block, None, "This provider and this client shall not meet", WORK), BlockQuestion),
    _asking(_delete(BLOCK, providers.delete_provider_block, "They may meet again, as far as this side is concerned"), BlockQuestion),
    _free(_post(f"{MARKET}/device-tokens", providers.make_token, TokenRequest, answers.DeviceToken, "A token for one device", SET_UP, 201)),
    _delete(f"{PROVIDER}/devices/{{device_id}}", providers.delete_device, "Revoke the tokens of one device; its socket ends", SET_UP),
    _delete(f"{PROVIDER}/devices", providers.delete_devices, "Revoke the tokens of all his devices; their sockets end", SET_UP),
    _free(_post(f"{MARKET}/match", bookings.match, MatchRequest, answers.Match, "Dry run: who would be asked, and when", READ)),
    _post(f"{MARKET}/bookings", bookings.open_booking, BookingRequest, answers.Opened, "Open a booking", status=201),
    _get(BOOKING, bookings.get_booking, answers.BookingState, "A booking as it stands"),
    _get(f"{BOOKING}/timeline", bookings.timeline, answers.Timeline, "Every event of a booking, oldest first"),
    _get(f"{BOOKING}/explain/{{provider_id}}", bookings.explain, answers.Explanation, "Why a provider was asked, or what left him out"),
    _asking(_get(COVERAGE, coverage.get_coverage, answers.Coverage, "How many could serve, service by zone by hour"), CoverageQuestion),
    _asking(
        _get(f"{COVERAGE}/picture", coverage.get_coverage_picture, str, "The same as a picture", media="image/svg+xml"), CoverageQuestion
    ),
    _asking(
        _get(f"{BOOKING}/explain", bookings.explain_booking, answers.BookingExplained, "What was decided, and who was left out"),
        ExplainQuestion,
    ),
    _post(f"{BOOKING}/cancel", bookings.cancel, CancelRequest, answers.Cancelled, "Cancel a booking"),
    _post(f"{BOOKING}/move", bookings.move, MoveRequest, answers.Searching, "Other windows for a booking"),
    _post(f"{BOOKING}/complete", bookings.complete, CompleteRequest, answers.Cancelled, "The visit took place"),
    _post(f"{BOOKING}/no-show", bookings.no_show, NoShowRequest, answers.Cancelled, "The provider did not come"),
    _post(f"{BOOKING}/late", bookings.late, LateRequest, answers.Cancelled, "The provider is late, or will be"),
    _post(f"{BOOKING}/search-again", bookings.search_again, SearchAgainRequest, answers.Searching, "Look for another provider", OVERRIDE),
    _post(f"{BOOKING}/take-over", hands.take_over, TakeOverRequest, answers.TakeOver, "Take a booking out of the engine's hands", OVERRIDE),
    _post(f"{BOOKING}/hand-back", hands.hand_back, HandBackRequest, answers.HandBack, "Give it back to the engine", OVERRIDE),
    _post(f"{BOOKING}/assign", hands.assign, AssignRequest, answers.Assignment, "Give it to a provider by hand", OVERRIDE),
    _post(f"{BOOKING}/reopen", hands.reopen, ReopenRequest, answers.AskedAgain, "Ask a provider again"),
    _post(f"{BOOKING}/extend", hands.extend, ExtendRequest, answers.Extension, "Go on searching for one that nobody took"),
    _get(f"{MARKET}/ops/alarms", hands.get_alarms, answers.Alarms, "What ops must see to, longest first", OPS),
    _asking(_get(f"{MARKET}/ops/audit", hands.get_audit, answers.Audit, "Everything done by hand, newest first", OPS), AuditPage),
    _asking(
        _get(
            f"{MARKET}/ops/settings-history",
            markets.get_settings_history,
            answers.SettingsHistory,
            "What settings were, newest change first",
            OPS,
        ),
        AuditPage,
    ),
    _get(f"{BOOKING}/bonus", direct.get_bonus, answers.BonusList, "Who would get a bonus proposal, and what is outside his settings"),
    _post(f"{BOOKING}/bonus/approve", direct.approve_bonus, BonusRequest, answers.BonusApproved, "Confirm bonus proposals", OVERRIDE),
    _post(f"{PROVIDER}/links", direct.make_link, LinkRequest, answers.PersonalLink, "A personal link of his", status=201),
    _get(f"{PROVIDER}/links", direct.get_links, answers.PersonalLinks, "His personal links"),
    _delete(f"{MARKET}/links/{{code}}", direct.delete_link, "Revoke a personal link"),
    _listing(
        _get(
            f"{MARKET}/clients/{{client_id}}/providers",
            direct.known_providers,
            answers.KnownProviders,
            "Which of the providers who have served a client are free, best first",
        ),
        direct.QUERY,
    ),
    _post(
        f"{COUNTEROFFER}/accept",
        counteroffers.accept_counteroffer,
        CounterofferAccept,
        answers.CounterofferAccepted,
        "The client takes the other times that a provider proposed",
    ),
    _post(
        f"{COUNTEROFFER}/decline",
        counteroffers.decline_counteroffer,
        CounterofferDecline,
        answers.CounterofferDeclined,
        "The client does not want them",
    ),
    _put(f"{MARKET}/blocks/{{client_id}}", providers.put_block, BlockRequest, "Blacklist a client", WORK),
    _delete(f"{MARKET}/blocks/{{client_id}}", providers.delete_block, "Take a client off the blacklist"),
    _get(f"{MARKET}/ops/follow-ups", follow_ups.get_follow_ups, answers.FollowUps, "What providers ask of ops", OPS),
    _post(
        f"{MARKET}/ops/follow-ups/{{follow_up_id}}/done",
        follow_ups.finish_follow_up,
        FollowUpDone,
        answers.FollowUpFinished,
        "It has been seen to",
        OVERRIDE,
    ),
    _get("/v1/push-key", push.get_push_key, answers.PushKey, "The key with which a browser subscribes to Web Push", NOBODY),
    _get("/livez", operations.livez, dict[str, bool], "Whether this process answers", NOBODY),
    _get("/readyz", operations.readyz, answers.Readiness, "Whether store, worker and device port work (else 503)", NOBODY),
    _get("/metrics", operations.get_metrics, str, "Everything counted, in Prometheus' text format", frozenset({METRICS}), "text/plain"),
    _get("/openapi.json", operations.get_openapi, dict[str, Any], "This description", NOBODY),
    _get("/asyncapi.json", operations.get_asyncapi, dict[str, Any], "The description of the device protocol", NOBODY),
    _get("/docs", operations.docs, str, "This description for people", NOBODY, "text/html"),
    _get("/docs/assets/{name}", operations.docs_asset, str, "A file of that page", NOBODY, "text/plain"),
    _get("/docs/errors", operations.errors_page, str, "Every problem code", NOBODY, "text/html"),
)


def ops_stream(streams: Streams) -> Route:
    """The line of the ops stream, for an application that has something to show in it."""
    return _get(f"{MARKET}/ops/stream", streams.open, str, "Server-sent events: `state`, then `delta`s", OPS, "text/event-stream")

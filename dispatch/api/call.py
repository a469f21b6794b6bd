"""A call of the HTTP interface: how the table names it, what its handler is given, and what it gives back."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from dispatch.engine.desk import Desk
from dispatch.settings import Settings
from dispatch.store import Hand, Market, Store

BOOKING = "booking"
MANAGER, AGENT, VIEWER = "ops:manager", "ops:agent", "ops:viewer"
METRICS = "metrics"
EVERY_ROLE = frozenset({BOOKING, MANAGER, AGENT, VIEWER, METRICS})

READ = frozenset({BOOKING, MANAGER, AGENT, VIEWER})  # who may look
WORK = frozenset({BOOKING, MANAGER, AGENT})  # who may open, cancel, block
SET_UP = frozenset({BOOKING, MANAGER})  # who may change what a market is
OPS = frozenset({MANAGER, AGENT, VIEWER})
OVERRIDE = frozenset({MANAGER, AGENT})  # who may go against a rule, with a reason
NOBODY: frozenset[str] = frozenset()  # no key is asked for

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls, by his key: ``id`` of the key, its roles, its markets (``*`` among them: all), its name for people."""

    id: str
    roles: frozenset[str]
    markets: frozenset[str]
    name: str = ""

    def may_enter(self, market: str) -> bool:
        """Whether the market is one of his."""
        return market in self.markets or "*" in self.markets


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What the interface stands on. ``push_key``: what browsers subscribe to Web Push with, if it is set up."""

    desk: Desk
    store: Store
    settings: Settings
    push_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """One request, read and admitted. ``rid``: digest of caller, path and Idempotency-Key ('' where none is asked for); ``as_read``: its
    market, where that was read with the key."""

    engine: Engine
    caller: Caller
    request: Request
    body: T
    rid: str = ""
    as_read: Market | None = None

    @property
    def desk(self) -> Desk:
        """The engine's desk."""
        return self.engine.desk

    @property
    def market(self) -> str:
        """The market that the path names."""
        return self.path("market")

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    @property
    def whose(self) -> Hand:
        """Whose key it is, whatever its roles."""
        return Hand(key=self.caller.id, name=self.caller.name or self.caller.id)

    @property
    def hand(self) -> Hand | None:
        """Who acts by hand: a caller with a role of ops (R84). None: the booking service, in whose name nobody acts."""
        return self.whose if self.has(OVERRIDE) else None

    def has(self, roles: frozenset[str]) -> bool:
        """Whether the caller has one of these roles."""
        return not self.caller.roles.isdisjoint(roles)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a handler answers: an HTTP status and what becomes JSON (None: no body), or a response of its own."""

    status: int = 200
    body: Any = None
    response: Response | None = None


Handler = Callable[[Call[Any]], Awaitable[Reply]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One line of the table of calls. ``takes`` and ``gives`` are the types of the bodies; ``roles`` empty: no key is asked for.

    ``asks``: the type of what may stand behind the ?, see questions.py.
    ``streams`` instead of ``takes``: the type of one line of a body that the handler itself reads.
    """

    method: str
    path: str
    handler: Handler
    roles: frozenset[str]
    summary: str
    takes: Any = None
    asks: Any = None
    streams: Any = None
    gives: Any = None
    gives_media: str = "application/json"
    query: tuple[str, ...] = ()  # what may stand in its query, each any number of times
    success: tuple[int, ...] = (200,)
    idempotent: bool = False  # wants an Idempotency-Key
    creates_market: bool = False  # the one call that may name a market that is not there yet

    @property
    def parameters(self) -> list[str]:
        """Names of the parts of the path."""
        return [part[1:-1] for part in self.path.split("/") if part.startswith("{")]

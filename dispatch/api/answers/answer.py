"""What every answer is, and those that belong to no part of the interface."""

from msgspec import Struct


class Answer(Struct, frozen=True, kw_only=True):
    """Something answered."""


class Created(Answer, frozen=True):
    """The answer to a PUT: whether the thing is new."""

    created: bool


class Readiness(Answer, frozen=True):
    """Whether work can be done, and for each part since how many seconds it was last heard of (null: never)."""

    ready: bool
    store: bool
    worker: float | None
    gateway: float | None


class Problem(Answer, frozen=True):
    """What went wrong (RFC 9457). ``code`` is stable; ``retry`` says whether the same request may work later."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    retry: bool

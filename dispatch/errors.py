"""Everything that can go wrong, as one tree.

    DispatchError
    |-- Refused             the request is wrong; the same again fails the same way   (retry = no)
    |   |-- BadRequest        400  bad_request, idempotency_key_missing
    |   |-- Unauthorized      401  unauthorized
    |   |-- Forbidden         403  forbidden
    |   |-- NotFound          404  not_found
    |   |-- Conflict          409  duplicate, conflict, taken_over
    |   |-- TooLarge          413  too_large
    |   `-- Unprocessable     422  too_late, blocked, unknown_service, outside_market, bad_window, unknown_field, unfit...
    `-- Later               nothing was decided; the same again may work              (retry = yes)
        |-- InProgress        409  in_progress
        |-- RateLimited       429  rate_limited
        `-- Unavailable       503  unavailable

``code`` is stable and part of the interface; ``detail`` says what was wrong and what would be right.
"""

from typing import ClassVar


class DispatchError(Exception):
    """An answer of ours that is not a success. ``status`` is its HTTP status, ``retry`` whether trying again can help."""

    status: ClassVar[int] = 500
    default: ClassVar[str] = "internal"
    retry: ClassVar[bool] = False

    def __init__(self, detail: str, code: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code or self.default


class Refused(DispatchError):
    """The request itself is wrong: repeating it changes nothing."""

    status, default = 400, "bad_request"


class BadRequest(Refused):
    """The request cannot be read as what it should be."""


class Unauthorized(Refused):
    """No key, or one nobody knows."""

    status, default = 401, "unauthorized"


class Forbidden(Refused):
    """The key is known, its role is too small."""

    status, default = 403, "forbidden"


class NotFound(Refused):
    """It is not there, or not in the caller's markets."""

    status, default = 404, "not_found"


class Conflict(Refused):
    """It collides with what is already there."""

    status, default = 409, "conflict"


class TooLarge(Refused):
    """The body is larger than the limit."""

    status, default = 413, "too_large"


class Unprocessable(Refused):
    """Readable, but against a rule; ``code`` names the rule."""

    status, default = 422, "invalid"


class Later(DispatchError):
    """Not now: repeat with the same key or id."""

    status, default, retry = 503, "unavailable", True


class InProgress(Later):
    """The same request is still running."""

    status, default = 409, "in_progress"


class RateLimited(Later):
    """Too many requests for the moment."""

    status, default = 429, "rate_limited"


class Unavailable(Later):
    """The store is down or refuses; nothing was decided."""


class ConfigError(Exception):
    """The installation is wrong (settings, store profile, versions); the text says what would be right."""

"""Push addresses as devices name them: ``kind`` is the push service, ``token`` what that service gave the device.

``webpush``: the subscription of a browser as JSON (``JSON.stringify(subscription)``); ``fcm``: a registration token; ``apns``: a device
token in hex.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from dispatch.messages import PushAddress
from dispatch.settings import is_loopback

POINT_BYTES, AUTH_BYTES = 65, 16  # of a P-256 point as it is, and of the secret (RFC 8291 section 2)


class Keys(Struct, frozen=True):
    """With what a browser decrypts, in unpadded base64url."""

    p256dh: str
    auth: str


class Subscription(Struct, frozen=True):
    """A browser's subscription (https://www.w3.org/TR/push-api/): where to post, and for whose eyes."""

    endpoint: str
    keys: Keys


_subscription = msgspec.json.Decoder(Subscription)


def subscription(token: str) -> Subscription:
    """The subscription in a token. Raises ValueError that says what would be right."""
    try:
        found = _subscription.decode(token)
    except (msgspec.DecodeError, msgspec.ValidationError) as wrong:
        raise ValueError(f"the token of webpush is a subscription as JSON, with endpoint and keys: {wrong}") from None
    _check_endpoint(found.endpoint)
    if len(unpadded(found.keys.p256dh)) != POINT_BYTES or not unpadded(found.keys.p256dh).startswith(b"\x04"):
        raise ValueError("keys.p256dh of a subscription is a point of P-256, 65 bytes in base64url")
    if len(unpadded(found.keys.auth)) != AUTH_BYTES:
        raise ValueError("keys.auth of a subscription is 16 bytes in base64url")
    return found


def _check_endpoint(endpoint: str) -> None:
    """https; http only on the own machine, as browsers have it."""
    parts = urlsplit(endpoint)
    secure = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if not secure or not parts.hostname or "@" in parts.netloc or not endpoint.isascii() or not endpoint.isprintable():
        raise ValueError("the endpoint of a subscription is an https URL")


def unpadded(text: str) -> bytes:
    """Bytes from base64url, padded or not; none from anything else."""
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return b""


def _check_fcm(token: str) -> None:
    if not re.fullmatch(r"[\w:.-]{1,2048}", token, re.ASCII):
        raise ValueError("the token of fcm is a registration token: letters, digits, `:`, `_`, `.` and `-`")


def _check_apns(token: str) -> None:
    if not re.fullmatch(r"(?:[0-9a-fA-F]{2}){16,100}", token):
        raise ValueError("the token of apns is a device token in hex")


_CHECKS: Mapping[str, Callable[[str], object]] = {"webpush": subscription, "fcm": _check_fcm, "apns": _check_apns}
KINDS = tuple(_CHECKS)


def unfit(address: PushAddress) -> str | None:
    """What is wrong with an address, and what would be right; None when it may be used."""
    check = _CHECKS.get(address.kind)
    if check is None:
        return f"push.kind is one of {', '.join(KINDS)}"
    try:
        check(address.token)
    except ValueError as wrong:
        return str(wrong)
    return None

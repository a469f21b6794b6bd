"""Signatures after Standard Webhooks (https://www.standardwebhooks.com): what proves to the booking service that an event is ours."""

import binascii
from datetime import UTC, datetime

from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook


class BadSecret(ValueError):
    """A secret that is not ``whsec_`` and the base64 of at least 16 bytes."""


def check_secret(secret: str) -> None:
    """Raises BadSecret when nobody could sign with this."""
    _signer(secret)


def sign(secret: str, event_id: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The three headers of an event. ``timestamp_s`` is the moment of this attempt, in seconds of wall time."""
    signature = _signer(secret).sign(event_id, datetime.fromtimestamp(timestamp_s, UTC), body.decode())
    return {"webhook-id": event_id, "webhook-timestamp": str(timestamp_s), "webhook-signature": signature}


def _signer(secret: str) -> Webhook:
    encoded = secret.removeprefix("whsec_")
    try:
        # The library skips what is no base64; another one at the receiver's might not, and would find every signature wrong.
        if len(binascii.a2b_base64(encoded + "=" * (-len(encoded) % 4), strict_mode=True)) < 16:
            raise BadSecret("a webhook secret is whsec_ and the base64 of at least 16 bytes")
        return Webhook(secret)
    except (binascii.Error, EmptyWebhookSecretError) as wrong:
        raise BadSecret("a webhook secret is whsec_ and standard base64 (A-Z a-z 0-9 + /)") from wrong

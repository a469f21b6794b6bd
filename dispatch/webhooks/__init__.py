"""Webhooks: events signed after Standard Webhooks and delivered to the booking service, to public addresses only."""

from dispatch.webhooks.addresses import BadUrl, PrivateAddress
from dispatch.webhooks.delivery import Outcome, Verdict, check_target, client, deliver
from dispatch.webhooks.schedule import GIVE_UP_MS, next_attempt_ms
from dispatch.webhooks.signing import BadSecret, sign

__all__ = [
    "GIVE_UP_MS",
    "BadSecret",
    "BadUrl",
    "Outcome",
    "PrivateAddress",
    "Verdict",
    "check_target",
    "client",
    "deliver",
    "next_attempt_ms",
    "sign",
]

"""Which sender serves which push service, from what the operator has set up."""

from collections.abc import Callable
from functools import partial

import aiohttp
import httpx2

from dispatch.errors import ConfigError
from dispatch.push.addresses import KINDS
from dispatch.push.logged import LogSender
from dispatch.push.sender import PushSender
from dispatch.push.vapid import VapidKeys
from dispatch.settings import Settings

CONNECTIONS = 16


class Services:
    """The senders of one process. A push service that is not set up is served by the log."""

    def __init__(self, settings: Settings, http: aiohttp.ClientSession) -> None:
        """``http`` reaches the endpoints of browsers, and refuses those that are not public. Raises ConfigError."""
        makers: dict[str, Callable[[], PushSender]] = {}
        if settings.vapid_file:
            makers["webpush"] = partial(_webpush, settings, http)
        if settings.push_fcm_file:
            makers["fcm"] = partial(_fcm, settings)
        if settings.push_apns_file:
            makers["apns"] = partial(_apns, settings)
        try:
            self._senders = {kind: make() for kind, make in makers.items()}
        except ImportError as missing:
            raise ConfigError(f"push needs more packages ({missing.name}): install dispatch-engine[push]") from None
        self._log = LogSender()

    @property
    def logged(self) -> list[str]:
        """Push services whose devices are not reached."""
        return [kind for kind in KINDS if kind not in self._senders]

    def of(self, kind: str) -> PushSender:
        """The sender of a push service."""
        return self._senders.get(kind, self._log)

    async def close(self) -> None:
        """Closes them all."""
        for sender in self._senders.values():
            await sender.close()


def public_key(settings: Settings) -> str | None:
    """What browsers subscribe with; None when Web Push is not set up. Raises ConfigError."""
    return VapidKeys.load(settings.vapid_file).public_key if settings.vapid_file else None


def _webpush(settings: Settings, http: aiohttp.ClientSession) -> PushSender:
    from dispatch.push.webpush import WebPush

    assert settings.vapid_file is not None
    return WebPush(http, VapidKeys.load(settings.vapid_file))


def _fcm(settings: Settings) -> PushSender:
    from dispatch.push.fcm import Fcm, ServiceAccount

    assert settings.push_fcm_file is not None
    return Fcm(_client(), settings.push_fcm_url, ServiceAccount.load(settings.push_fcm_file))


def _apns(settings: Settings) -> PushSender:
    from dispatch.push.apns import Apns, ProviderToken, signing_key

    assert settings.push_apns_file is not None
    token = ProviderToken(signing_key(settings.push_apns_file), settings.push_apns_key or "", settings.push_apns_team or "")
    return Apns(_client(), settings.push_apns_url, token, settings.push_apns_topic or "")


def _client() -> httpx2.AsyncClient:
    """HTTP/2 where the other side has it: APNs speaks nothing else."""
    return httpx2.AsyncClient(
        http2=True,
        verify=httpx2.create_ssl_context(),  # SSL_CERT_FILE names further authorities
        trust_env=False,
        timeout=None,
        limits=httpx2.Limits(max_connections=CONNECTIONS),
    )

"""What is answered about providers, their devices, and who knows whom."""

from datetime import datetime
from typing import Any, Literal

from dispatch.api.answers.answer import Answer
from dispatch.model import Id, ProviderSettings, Tier


class ProviderState(ProviderSettings, frozen=True, kw_only=True):
    """A provider's settings, and how he stands. His score is private (R65)."""

    provider_id: Id
    tier: Tier
    reachable: bool
    available: bool
    paused: bool
    live_proposals: int
    devices: int


class PersonalLink(Answer, frozen=True):
    """The code that a booking carries in ``link``."""

    code: str
    provider_id: str


class PersonalLinks(Answer, frozen=True):
    """The codes that are good."""

    links: tuple[str, ...]


class KnownProvider(Answer, frozen=True):
    """A provider who has served the client, and the windows (indexes) in which he is free; ``reachable``: he could be asked now."""

    provider_id: str
    tier: Tier
    windows: tuple[int, ...]
    reachable: bool
    last_served_at: datetime


class KnownProviders(Answer, frozen=True):
    """Those who are free, best first."""

    client_id: str
    providers: tuple[KnownProvider, ...]


class Inbox(Answer, frozen=True):
    """Everything open for a provider, as his devices have it. ``items`` are messages of the device protocol."""

    epoch: str
    seq: int
    items: tuple[dict[str, Any], ...]
    more: bool


class PushKey(Answer, frozen=True):
    """With what a browser subscribes to Web Push: an uncompressed point of P-256 in base64url."""

    public_key: str


class TrialReceipt(Answer, frozen=True):
    """What came back of a test by one way; ``outcome`` is the push service's."""

    way: Literal["socket", "push"]
    device: str | None
    received_at: datetime | None
    seen_at: datetime | None
    outcome: str | None


class TrialState(Answer, frozen=True):
    """A test proposal: it stands for no booking, and shows whether what is sent to a provider reaches him (R25b)."""

    proposal: str
    state: Literal["open", "accepted", "refused", "expired"]
    sent_at: datetime
    expires_at: datetime
    received_at: datetime | None
    seen_at: datetime | None
    answered_at: datetime | None
    receipts: tuple[TrialReceipt, ...]

"""Python SDK: a provider's device (``DeviceClient``, ``BlockingDeviceClient``) and the booking service (``BookingClient``).

The classes are imported when they are first asked for: a device needs no HTTP, the booking service no websocket.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dispatch.client.protocol import Stopped
from dispatch.messages import (
    Booking,
    CounterState,
    Error,
    Live,
    Notice,
    Proposal,
    PushAddress,
    QuietHours,
    Result,
    Snapshot,
    Suggestion,
    ToDevice,
    TrialState,
    Window,
    Withdrawn,
)

if TYPE_CHECKING:
    from dispatch.client.blocking import BlockingDeviceClient
    from dispatch.client.bookings import BookingClient
    from dispatch.client.device import DeviceClient

__all__ = [
    "BlockingDeviceClient",
    "Booking",
    "BookingClient",
    "CounterState",
    "DeviceClient",
    "Error",
    "Live",
    "Notice",
    "Proposal",
    "PushAddress",
    "QuietHours",
    "Result",
    "Snapshot",
    "Stopped",
    "Suggestion",
    "ToDevice",
    "TrialState",
    "Window",
    "Withdrawn",
]
_HOMES = {"BlockingDeviceClient": "blocking", "BookingClient": "bookings", "DeviceClient": "device"}


def __getattr__(name: str) -> Any:
    """Import a client on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)

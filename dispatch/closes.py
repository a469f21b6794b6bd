"""Close codes of a device's link. Source: PROTOCOL.md section 2."""

from enum import IntEnum


class CloseCode(IntEnum):
    """Why a link ends. 40xx: connect again and resume; 45xx: stop, the same again would end the same way."""

    LEFT = 1000
    RESTART = 1012
    OVERLOADED = 1013  # the reason says ``after_ms=...``
    INTERNAL = 4000
    NO_HELLO = 4006
    TOO_MANY_COMMANDS = 4008
    SLOW_READER = 4009
    STATE_LOST = 4010
    NO_PONG = 4011
    TOKEN_EXPIRED = 4012
    DRAINED = 4013
    BAD_TOKEN = 4500
    MALFORMED = 4501
    VERSION = 4502
    REPLACED = 4503
    TOO_MANY_DEVICES = 4504
    BLOCKED = 4505

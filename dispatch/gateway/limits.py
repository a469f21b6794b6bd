"""The bounds of one link: how often, how much, how long. PROTOCOL.md section 2 names most of them; times are ms of wall time."""

from typing import Final

from msgspec import Struct

NEVER: Final = 2**62  # a moment that does not come


class Limits(Struct, frozen=True, kw_only=True):
    """What a device may do, and how long the gateway waits for it. The defaults are the protocol's."""

    hello_ms: int = 10_000  # from the upgrade to ``hello``
    every_ms: int = 25_000  # between pings, give or take ``spread``
    fresh_every_ms: int = 5_000  # the same while a proposal is fresh
    fresh_ms: int = 120_000  # how long it is
    spread: float = 0.2
    renew_ms: int = 60_000  # before its token runs out a device is asked for the next one
    dead_ms: int = 45_000  # without any frame: one unanswered ping, and time enough to answer it
    fresh_dead_ms: int = 12_000  # the same while a proposal is fresh: somebody waits for the answer
    deaf_ms: int = 90_000  # without a frame that says that what we write is read: three unanswered pings, whatever else is said meanwhile
    age_ms: int = 14_400_000  # after which a link is asked to move, at the latest
    move_ms: int = 20_000  # it has for that
    drain_ms: int = 0  # for everybody to move when the gateway stops; 0: they are sent away at once
    burst: int = 20  # commands at once
    per_minute: int = 120  # commands, lastingly
    patience: int = 200  # commands refused in a row before the link is cut
    enforced: bool = True  # False: what goes over a limit on commands or addresses is counted, and refused nothing
    fragments: int = 64  # of one message
    controls: int = 60  # websocket pings and pongs at once; the protocol has its own, which are not counted
    controls_per_s: int = 5
    frames_burst: int = 400  # frames of any kind at once; faster than that they are read more slowly, never refused
    frames_per_s: int = 100
    queue_messages: int = 64  # unsent
    queue_bytes: int = 64 * 1024
    stall_ms: int = 10_000  # without any progress while something waits to be written
    goodbye_ms: int = 5_000  # for the closing handshake, then the transport is cut
    greeting: int = 1_024  # links that are not live yet, at one gateway
    entering: int = 64  # of these, being resumed from the store at the same time
    knocking: int = 16_384  # sockets that wait for their upgrade meanwhile


class Bucket:
    """Permission to do something ``burst`` times at once and ``per_s`` times a second lastingly."""

    __slots__ = ("_at", "_burst", "_left", "_per_ms")

    def __init__(self, burst: int, per_s: float, now: int) -> None:
        self._burst, self._per_ms = burst, per_s / 1_000
        self._left, self._at = float(burst), now

    def take(self, now: int) -> int:
        """Take one permission: 0, or in how many ms there will be one."""
        self._left = min(self._burst, self._left + (now - self._at) * self._per_ms)
        self._at = now
        if self._left < 1:
            return max(1, round((1 - self._left) / self._per_ms))
        self._left -= 1
        return 0

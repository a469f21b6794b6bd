"""When a failed delivery is tried again: doubling from a second to an hour, with jitter, for 24 hours (PROTOCOL.md section 1)."""

import zlib

FIRST_MS = 1_000
LONGEST_MS = 3_600_000
GIVE_UP_MS = 86_400_000  # counted from the first attempt; then the event is dead-lettered


def next_attempt_ms(attempts: int, seed: str) -> int:
    """Pause after the given number of failed attempts (1, 2, ...), in ms: between half and all of the doubled pause.

    The seed (the event's id) makes the jitter: the same event always gets the same pauses, many events spread out.
    """
    pause = min(FIRST_MS << min(attempts - 1, 20), LONGEST_MS)
    share = zlib.crc32(f"{seed}:{attempts}".encode()) / 2**32
    return round(pause * (1 + share) / 2)

"""The server's clock, as a device hears it.

A message only ever arrives late, so of several readings the largest is nearest the truth: what waited in a sleeping device does not set the
clock back. All times are ms since 1970. The device's own are read from a steady clock: somebody may set the one on the wall, by hours.
"""

import time
from collections import deque
from typing import Final

READINGS: Final = 8
_BEGAN_MS: Final = time.time_ns() / 1_000_000 - time.monotonic() * 1_000


def device_ms() -> int:
    """This device's clock: what the one on the wall said when the program began, and what has passed since."""
    return round(_BEGAN_MS + time.monotonic() * 1_000)


class ServerClock:
    """What the device's own clock lacks to be the server's."""

    def __init__(self) -> None:
        self._readings: deque[int] = deque(maxlen=READINGS)

    @property
    def offset_ms(self) -> int:
        """Server's clock minus this device's."""
        return max(self._readings, default=0)

    def heard(self, server_now: int, now: int) -> None:
        """A message said what time it was when it was sent."""
        self._readings.append(server_now - now)

    def answered(self, server_now: int, asked: int, now: int) -> None:
        """The same in answer to something said at ``asked``: the server read its clock in between. What was known before is forgotten."""
        self._readings.clear()
        self._readings.append(round(server_now - (asked + now) / 2))

"""The city's time: the engine's clock, which may run many times faster than the one on the wall."""

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class CityClock:
    """Engine time, from one reading of it (``engine_ms`` when the wall showed ``wall_s``, seconds since 1970) and its speed."""

    engine_ms: int
    wall_s: float
    speed: float
    zone: ZoneInfo

    def now_ms(self) -> int:
        """Engine time now, ms since 1970 UTC."""
        return self.engine_ms + round((time.time() - self.wall_s) * 1000 * self.speed)

    def local(self, ms: int) -> datetime:
        """A moment in the city's local time."""
        return datetime.fromtimestamp(ms / 1000, UTC).astimezone(self.zone)

    def wall(self, engine_s: float) -> float:
        """Wall seconds that so many engine seconds take."""
        return engine_s / self.speed


def zone_for(start_hour: int | None, now: datetime) -> str:
    """The time zone that makes it ``start_hour`` o'clock (and some minutes) in the city; None: the true one of Paris.

    A demo begun at midnight would show a sleeping city. Whole-hour zones exist from UTC-12 to UTC+14, and they have no summer time.
    """
    if start_hour is None:
        return "Europe/Paris"
    ahead = (start_hour - now.astimezone(UTC).hour + 12) % 24 - 12
    return "Etc/GMT" if ahead == 0 else f"Etc/GMT{-ahead:+d}"  # POSIX signs: Etc/GMT-5 is five hours *ahead*


def ms(moment: datetime) -> int:
    """A moment as ms since 1970 UTC, to the millisecond."""
    return (moment - datetime.fromtimestamp(0, UTC)) // timedelta(milliseconds=1)

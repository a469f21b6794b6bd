"""What can be chosen about a demo."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of ``dispatch demo``; the field's name is the option's name."""

    speed: float = 60.0
    """Engine seconds that pass in one second on the wall."""
    seconds: float | None = None
    """Wall seconds after which the demo ends by itself; None runs until Ctrl-C."""
    headless: bool = False
    """No live table: a line now and then, and the summary at the end."""
    json: Path | None = None
    """File for the summary."""
    providers: int = 400
    bookings_per_hour: float = 150.0
    """Mean number of bookings opened in one engine hour of the day; evenings and nights have fewer."""
    seed: int = 1
    """Draws the same city, providers and wishes again (not the same run: the engine and the network have their own timing)."""
    port: int = 0
    """HTTP port of the engine; 0 takes a free one."""
    device_port: int = 0
    """Port of the engine's gateway; 0 takes a free one."""
    start_hour: int | None = 8
    """Local hour at which the city's day begins, so that there is something to see at any hour; None keeps the true time of Paris."""
    data_dir: Path | None = None
    """Folder for the engine's data; None takes a fresh one and removes it afterwards."""

"""Small tables of calls, in the shape of the real ones."""

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from random import Random

from bench.calls import COLUMNS, Call, Row

DAY = date(2010, 12, 1)
MIDDLE = (37.7782, -122.4111)


def line(**changes: object) -> dict[str, str]:
    """One line of the file as a csv reader gives it."""
    right = {
        "call_number": "103350042", "call_date": "2010-12-01", "unit_id": "M36", "unit_type": "MEDIC", "call_type": "Medical Incident",
        "priority": "3", "delay_min": "4.217", "available_at_local": "2010-12-01T03:20:30", "lat": "37.7782", "lon": "-122.4111",
    }  # fmt: skip
    return right | {name: str(value) for name, value in changes.items()}


def text(lines: Iterable[dict[str, str]]) -> str:
    """A csv of these lines."""
    return "\n".join([",".join(COLUMNS), *(",".join(one[name] for name in COLUMNS) for one in lines)]) + "\n"


def row(number: int = 42, **changes: object) -> Row:
    """A call that was over at 03:20:30."""
    right = {
        "number": number, "day": DAY, "unit": "M36", "unit_type": "MEDIC", "kind": "medical_incident", "priority": "3", "delay_min": 4.0,
        "free_min": 200.5, "lat": MIDDLE[0], "lng": MIDDLE[1],
    }  # fmt: skip
    return Row(**(right | changes))  # type: ignore[arg-type]


def call(at_min: float = 600.0, out_min: float = 40.0, **changes: object) -> Call:
    return Call(row=row(**changes), at_min=at_min, out_min=out_min)


def days(
    count: int, a_day: int, *, out_min: float = 45.0, sampled: float = 0.1, seed: int = 1
) -> tuple[list[Row], dict[tuple[date, int], float]]:
    """Days whose calls come in evenly, of which a share is in the file; and the true minute of each call in it."""
    chance, rows, true = Random(seed), [], {}
    for day in range(count):
        when = DAY + timedelta(days=day)
        for number, at in enumerate(sorted(chance.uniform(0, 1_440) for _ in range(a_day)), 1):
            if chance.random() < sampled:
                away = out_min * chance.lognormvariate(0, 0.4)
                rows.append(row(number, day=when, free_min=at + away, delay_min=2.0))
                true[when, number] = at
    return rows, true


def clock(minute: float) -> datetime:
    return datetime(2010, 12, 1) + timedelta(minutes=minute)  # noqa: DTZ001 - local, as in the file

"""What a load test sets up: its own market, a small catalogue, and providers, all by the public interface.

The market has no quiet hours and its providers work around the clock, so that a run at night is a run like any other. Homes lie within
10 km of a point (Paris by default), zones are circles of 4 to 12 km. Providers are numbered per process: every worker imports its own.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from math import cos, pi, radians, sin, sqrt
from random import Random
from typing import Any
from urllib.parse import urlsplit

CENTRE = (48.8566, 2.3522)
KM_PER_DEGREE = 111.195
TRADES = ("hair", "massage", "cleaning")
SERVICES = {f"{trade}_{minutes}": (trade, minutes) for trade in TRADES for minutes in (30, 60)}
SETTINGS = {"time_zone": "Europe/Paris", "quiet_hours": None, "open_proposals_cap": 10}
PER_WORKER = 100_000
LEADS_H = ((0.7, 2.2, 6), (0.2, 6, 24), (0.1, 24, 72))  # share, from, to


def catalogue() -> dict[str, Any]:
    """Three trades with two services each."""
    services = [{"code": code, "trade": trade, "minutes": minutes} for code, (trade, minutes) in SERVICES.items()]
    return {"trades": [{"code": trade} for trade in TRADES], "services": services}


def provider_id(worker: int, number: int) -> str:
    """The id of one of this process's providers."""
    return f"lt-{worker * PER_WORKER + number:07d}"


def providers(worker: int, count: int) -> Iterator[bytes]:
    """Import lines (NDJSON) of this process's providers; the same every time."""
    for number in range(count):
        chance = Random(f"provider {worker} {number}")
        lat, lng = place(chance, 10)
        trade = chance.choice(TRADES)
        line = {
            "provider_id": provider_id(worker, number),
            "name": f"Load {number}",
            "trade": trade,
            "catalogue": [code for code, (of, _) in SERVICES.items() if of == trade],
            "zone": {"type": "circle", "lat": lat, "lng": lng, "radius_km": round(chance.uniform(4, 12), 1)},
            "hours": "24/7",
            "initial_rank": {
                "tier": chance.choice(("limited", "standard", "preferred", "premier")),
                "score": round(chance.uniform(4, 9.5), 1),
            },
        }
        yield json.dumps(line).encode()


def booking(chance: Random, booking_id: str, created_ms: int, now: datetime) -> dict[str, Any]:
    """A booking for one of three kinds of lead time. Its note carries the moment it was created, for whoever receives it."""
    [(_, first, last)] = chance.choices(LEADS_H, weights=[share for share, _, _ in LEADS_H])
    start = now.astimezone(UTC) + timedelta(hours=chance.uniform(first, last))
    code, (_, minutes) = chance.choice(list(SERVICES.items()))
    lat, lng = place(chance, 8)
    return {
        "booking_id": booking_id,
        "client_id": f"lt-c-{chance.randrange(50_000)}",
        "place": {"lat": lat, "lng": lng},
        "services": [code],
        "windows": [
            {"start": start.isoformat(timespec="seconds"), "end": (start + timedelta(minutes=minutes)).isoformat(timespec="seconds")}
        ],
        "price_cents": 4_500,
        "note": f"created={created_ms}",
    }


def created_ms(note: str) -> int | None:
    """When a booking was created (ms, clock of the process that did), from its note."""
    name, _, value = note.partition("=")
    return int(value) if name == "created" and value.isdigit() else None


def place(chance: Random, reach_km: float) -> tuple[float, float]:
    """A point somewhere within reach of the centre."""
    km, bearing = reach_km * sqrt(chance.random()), chance.uniform(0, 2 * pi)
    lat = CENTRE[0] + km * cos(bearing) / KM_PER_DEGREE
    return round(lat, 6), round(CENTRE[1] + km * sin(bearing) / (KM_PER_DEGREE * cos(radians(CENTRE[0]))), 6)


def device_url(host: str) -> str:
    """Where devices connect when nobody says: the port above the API's."""
    parts = urlsplit(host)
    scheme = "wss" if parts.scheme == "https" else "ws"
    return f"{scheme}://{parts.hostname}:{(parts.port or 8080) + 1}/v1/device"

"""The end of a run: its numbers and its promises, as a table for people and as JSON for machines."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from dispatch.demo.numbers import Numbers
from dispatch.demo.promises import Verdict

MEANING = {
    "P1": "one winner a booking, told alike to all",
    "P3": "no booking stuck after its deadline",
    "P5": "only legal proposals",
    "P6": "waves in time (250 ms), nobody asked twice",
    "P7": "no provider with overlapping visits",
    "P12": "metrics equal a recount",
}


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run came to. ``extra``: how it was run, and what went wrong on the way."""

    numbers: Numbers
    promises: dict[str, Verdict]
    extra: dict[str, Any]

    @property
    def kept(self) -> bool:
        """Whether every promise was looked at and none was broken."""
        return all(verdict.kept for verdict in self.promises.values())

    def write(self, path: Path) -> None:
        """Writes the summary as JSON."""
        path.write_text(json.dumps(self.as_dict(), indent=2) + "\n")

    def as_dict(self) -> dict[str, Any]:
        """The summary as plain values. Times to fill are engine seconds, lateness is wall ms."""
        n = self.numbers
        return {
            "bookings": n.bookings,
            "filled": n.filled,
            "unfilled": n.states["unfilled"],
            "cancelled": n.states["cancelled"],
            "searching": n.states["searching"],
            "time_to_fill_s": {"p50": n.time_to_fill_s.p50, "p95": n.time_to_fill_s.p95},
            "waves": n.waves,
            "proposals": n.proposals,
            "proposals_per_fill": n.proposals_per_fill,
            "too_late_accepts": n.too_late,
            "wave_lateness_ms": {"p50": n.lateness_ms.p50, "p99": n.lateness_ms.p99},
            "promises": {p: {"checked": v.checked, "broken": v.broken, "examples": v.examples} for p, v in self.promises.items()},
            **self.extra,
        }

    def show(self, console: Console) -> None:
        """Prints two tables."""
        console.print(_numbers(self.numbers))
        table = Table(title="Promises", title_justify="left")
        for column in ("", "what", "checked", "broken"):
            table.add_column(column)
        for name, verdict in self.promises.items():
            colour = "green" if verdict.kept else "red"
            table.add_row(f"[{colour}]{name}[/]", MEANING[name], str(verdict.checked), f"[{colour}]{verdict.broken}[/]")
        console.print(table)
        for name, verdict in self.promises.items():
            for example in verdict.examples or (["never looked at"] if not verdict.checked else []):
                console.print(f"[red]{name}[/] {example}", highlight=False)


def _numbers(n: Numbers) -> Table:
    table = Table(title="The run", title_justify="left", show_header=False)
    for name, value in figures(n):
        table.add_row(name, value)
    return table


def figures(n: Numbers) -> list[tuple[str, str]]:
    """The numbers in words."""
    share = f" ({100 * n.filled / n.decided:.0f} % of those decided)" if n.decided else ""
    return [
        ("bookings opened", str(n.bookings)),
        ("filled", f"{n.filled}{share}"),
        ("unfilled", str(n.states["unfilled"])),
        ("cancelled by clients", str(n.states["cancelled"])),
        ("still searching", str(n.states["searching"])),
        ("time to fill", f"p50 {minutes(n.time_to_fill_s.p50)}, p95 {minutes(n.time_to_fill_s.p95)} of city time"),
        ("waves", str(n.waves)),
        ("proposals per fill", str(n.proposals_per_fill)),
        ("accepts too late", str(n.too_late)),
        ("lateness of waves", f"p50 {n.lateness_ms.p50} ms, p99 {n.lateness_ms.p99} ms"),
    ]


def minutes(seconds: float | None) -> str:
    """Seconds as minutes, or a dash."""
    return "-" if seconds is None else f"{seconds / 60:.1f} min"

"""The coverage report as a picture: an SVG in which ops see at a glance which service is short of providers, where and when (R9)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape

CELL, HIGH, LEFT, TOP, ROWS = 14, 18, 230, 76, 200
NOBODY, SHORT, ENOUGH, MANY = "#7f1d1d", "#f59e0b", "#86efac", "#15803d"
Row = tuple[str, Sequence[int], Sequence[str]]  # its name, a number for each hour, and what each says when pointed at


def drawn(report: Mapping[str, Any]) -> str:
    """The picture: one service by zones, several by service, each hour with its worst zone."""
    rows = list(_of_zones(report) if len(report["services"]) == 1 else _of_services(report))[:ROWS]
    hours, threshold = report["hours"], report["threshold"]
    width, height = LEFT + CELL * max(20, len(hours)) + 20, TOP + HIGH * max(1, len(rows)) + 20
    head = f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    parts = [
        f'{head} font-family="system-ui, sans-serif" font-size="11">',
        f"<title>{escape(_title(report))}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        f'<text x="10" y="20" font-size="14" font-weight="600">{escape(_title(report))}</text>',
        *_legend(threshold),
        *_axis(hours),
        *(part for index, row in enumerate(rows) for part in _row(row, TOP + index * HIGH, threshold)),
        "" if rows else f'<text x="10" y="{TOP + 12}">nothing to show: no zone is reached, or no hour was asked for</text>',
        "</svg>",
    ]
    return "\n".join(part for part in parts if part)


def _title(report: Mapping[str, Any]) -> str:
    services = report["services"]
    what = services[0]["service"] if len(services) == 1 else f"{len(services)} services"
    return f"Coverage of {what}: {len(report['below_threshold'])} below {report['threshold']} providers somewhere"


def _of_zones(report: Mapping[str, Any]) -> Iterator[Row]:
    (service,) = report["services"]
    for zone, counts in zip(report["zones"], service["counts"], strict=True):
        name = zone["name"] or zone["zone"]
        yield name, counts, [f"{name}, {at}: {number}" for at, number in zip(report["hours"], counts, strict=True)]


def _of_services(report: Mapping[str, Any]) -> Iterator[Row]:
    """The worst first."""
    names = [zone["name"] or zone["zone"] for zone in report["zones"]]
    for service in sorted(report["services"], key=lambda one: (one["most"], -one["short"])):
        columns = list(zip(*service["counts"], strict=True))
        worst = [min(column, default=0) for column in columns]
        where = [names[column.index(number)] if column else "" for column, number in zip(columns, worst, strict=True)]
        said = [f"{service['service']}, {at}: {number} in {place}" for at, number, place in zip(report["hours"], worst, where, strict=True)]
        yield service["service"], worst, said


def _colour(number: int, threshold: int) -> str:
    if number < threshold:
        return SHORT if number else NOBODY
    return ENOUGH if number < 3 * threshold else MANY


def _row(row: Row, y: int, threshold: int) -> Iterator[str]:
    name, counts, said = row
    yield f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(name[:34])}</text>'
    for index, (number, text) in enumerate(zip(counts, said, strict=True)):
        place = f'x="{LEFT + index * CELL}" y="{y}" width="{CELL - 1}" height="{HIGH - 2}"'
        yield f'<rect {place} fill="{_colour(number, threshold)}"><title>{escape(text)}</title></rect>'


def _axis(hours: Sequence[str]) -> Iterator[str]:
    """The day over its first hour, and every third hour."""
    for index, at in enumerate(hours):
        x = LEFT + index * CELL
        if index == 0 or at[:10] != hours[index - 1][:10]:
            yield f'<text x="{x}" y="{TOP - 20}" font-weight="600">{at[5:10]}</text>'
        if int(at[11:13]) % 3 == 0:
            yield f'<text x="{x}" y="{TOP - 6}" fill="#555555">{at[11:13]}</text>'


def _legend(threshold: int) -> Iterator[str]:
    marks = ((NOBODY, "nobody"), (SHORT, f"under {threshold}"), (ENOUGH, f"{threshold} or more"), (MANY, f"{3 * threshold} or more"))
    for index, (colour, text) in enumerate(marks):
        x = LEFT + index * 110
        yield f'<rect x="{x}" y="30" width="12" height="12" fill="{colour}"/><text x="{x + 17}" y="40">{text}</text>'

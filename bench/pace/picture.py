"""Frontiers as a picture: time against late accepts, one line a family, in an SVG that needs nothing else."""

from collections.abc import Callable, Sequence
from html import escape
from math import isfinite

from bench.pace.figures import Figures
from bench.pace.frontier import Line

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 400, 60, 200, 46, 46
COLOURS = ("#9aa5ab", "#c9a227", "#b3763a", "#7a8fb0", "#1b6e53", "#b3261e", "#5b4b8a")
MOST_LATE, TICKS = 1.25, 5


def frontier(title: str, lines: Sequence[Line], value: Callable[[Figures], float], what: str, marks: Sequence[float]) -> str:
    """The picture; ``marks``: dashed lines at these numbers of late accepts."""
    shown = [(line.family.name, _dots(line, value)) for line in lines]
    most = max((y for _, dots in shown for _, y in dots), default=1.0) * 1.05
    body = [f'<text x="14" y="26" font-size="15" fill="#222">{escape(title)}</text>', *_axes(what, most)]
    body += [f'<path d="M{_x(at):.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#888" stroke-width="1" stroke-dasharray="4 4"/>' for at in marks]
    for number, (name, dots) in enumerate(shown):
        body += _line(number, name, dots, most)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" role="img">'
    return "\n".join(
        [head, f"<title>{escape(title)}</title>", f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>', *body, "</svg>", ""]
    )


def _dots(line: Line, value: Callable[[Figures], float]) -> list[tuple[float, float]]:
    found = [(point.figures.late, value(point.figures)) for point in line.points]
    return [(late, minutes) for late, minutes in found if isfinite(minutes) and late <= MOST_LATE]


def _x(late: float) -> float:
    return LEFT + late / MOST_LATE * (WIDTH - LEFT - RIGHT)


def _y(value: float, most: float) -> float:
    return HEIGHT - BOTTOM - value / most * (HEIGHT - TOP - BOTTOM)


def _axes(what: str, most: float) -> list[str]:
    bottom, right = HEIGHT - BOTTOM, WIDTH - RIGHT
    parts = [f'<path d="M{LEFT} {TOP}V{bottom}H{right}" fill="none" stroke="#444"/>']
    for tick in range(TICKS + 1):
        late, value = MOST_LATE * tick / TICKS, most * tick / TICKS
        parts.append(f'<text x="{_x(late):.1f}" y="{bottom + 16}" font-size="11" text-anchor="middle" fill="#444">{late:g}</text>')
        parts.append(f'<text x="{LEFT - 6}" y="{_y(value, most) + 4:.1f}" font-size="11" text-anchor="end" fill="#444">{value:.0f}</text>')
    parts.append(
        f'<text x="{(LEFT + right) / 2}" y="{HEIGHT - 10}" font-size="12" text-anchor="middle" fill="#222">late accepts a fill</text>'
    )
    parts.append(f'<text x="{LEFT}" y="{TOP - 6}" font-size="12" fill="#222">{escape(what)}</text>')
    return parts


def _line(number: int, name: str, dots: Sequence[tuple[float, float]], most: float) -> list[str]:
    colour, y = COLOURS[number % len(COLOURS)], TOP + 18 * number + 10
    places = [(_x(late), _y(value, most)) for late, value in dots]
    path = " ".join(f"{'L' if at else 'M'}{x:.1f} {y_:.1f}" for at, (x, y_) in enumerate(places))
    key = f'<path d="M{WIDTH - RIGHT + 14} {y - 4}h18" stroke="{colour}" stroke-width="3"/>'
    label = f'<text x="{WIDTH - RIGHT + 38}" y="{y}" font-size="12" fill="#222">{escape(name)}</text>'
    drawn = [f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="2"/>'] if places else []
    return [*drawn, *(f'<circle cx="{x:.1f}" cy="{y_:.1f}" r="3" fill="{colour}"/>' for x, y_ in places), key, label]

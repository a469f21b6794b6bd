"""Figures as a picture: horizontal bars in one SVG that needs nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

WIDTH, LEFT, RIGHT, ROW, TOP = 720, 130, 60, 30, 50


@dataclass(frozen=True, slots=True)
class Bar:
    """One row."""

    name: str
    value: float
    ours: bool = False


def bars(title: str, rows: Sequence[Bar], bound: float | None = None) -> str:
    """The picture; ``bound`` is a dashed line."""
    most = max([row.value for row in rows] + ([bound] if bound else []))
    scale, height = (WIDTH - LEFT - RIGHT) / (most or 1), TOP + ROW * len(rows) + 14
    lines = [f'<text x="14" y="28" font-size="15" fill="#222">{escape(title)}</text>']
    for number, row in enumerate(rows):
        lines += _row(row, TOP + ROW * number, scale)
    if bound:
        x = LEFT + bound * scale
        lines.append(f'<path d="M{x:.1f} {TOP - 10}V{height - 8}" stroke="#b3261e" stroke-width="1.5" stroke-dasharray="5 4"/>')
        lines.append(f'<text x="{x + 4:.1f}" y="{TOP - 3}" font-size="11" fill="#b3261e">at most {bound:g}</text>')
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" role="img">'
    return "\n".join(
        [head, f"<title>{escape(title)}</title>", f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>', *lines, "</svg>", ""]
    )


def _row(row: Bar, y: int, scale: float) -> list[str]:
    colour = "#1b6e53" if row.ours else "#9aa5ab"
    return [
        f'<text x="{LEFT - 8}" y="{y + 15}" font-size="13" text-anchor="end" fill="#222">{escape(row.name)}</text>',
        f'<rect x="{LEFT}" y="{y}" width="{row.value * scale:.1f}" height="21" rx="2" fill="{colour}"/>',
        f'<text x="{LEFT + row.value * scale + 6:.1f}" y="{y + 15}" font-size="13" fill="#222">{row.value:.1f}</text>',
    ]

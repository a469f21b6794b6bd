"""Where time goes, as a picture: samples of call stacks, folded (outermost frame first, and how often), drawn as a flame graph."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from html import escape

Stacks = Counter[tuple[str, ...]]

WIDTH, ROW, THINNEST = 1_400, 17, 0.3  # pixels
CHARACTER = 6.6  # pixels
COLOURS = ("#e8743b", "#ed8a4c", "#f0a05f", "#e2603a", "#f2b26e", "#e58b2f")
LINE = re.compile(r":\d+\)$")  # the number of a line in "name (file.py:12)"


@dataclass(slots=True)
class Box:
    """A frame with what it called; ``samples`` of its own and of theirs."""

    name: str
    samples: int = 0
    inside: "dict[str, Box]" = field(default_factory=dict)


def folded(lines: Iterable[str]) -> Stacks:
    """Stacks as py-spy writes them (`--format raw`): "a;b;c 12". Lines of one function count as one frame."""
    found: Stacks = Counter()
    for line in lines:
        stack, _, count = line.rstrip().rpartition(" ")
        if stack and count.isdigit():
            found[tuple(LINE.sub(")", frame.strip()) for frame in stack.split(";"))] += int(count)
    return found


def from_perf(lines: Iterable[str]) -> Stacks:
    """Stacks as `perf script` writes them: a head, then a frame a line, innermost first, then an empty line."""
    found: Stacks = Counter()
    stack: list[str] = []
    for line in (*lines, ""):
        if frame := re.match(r"\s+[0-9a-f]+ (.+?)(?:\+0x[0-9a-f]+)? \((.*)\)$", line.rstrip()):
            name = frame[1] if frame[1] != "[unknown]" else f"[{frame[2].rpartition('/')[2]}]"
            if not stack or stack[-1] != name:
                stack.append(name)
        elif not line.strip() and stack:
            found[tuple(reversed(stack))] += 1
            stack = []
    return found


def shares(stacks: Stacks, steps: Iterable[tuple[str, str]], rest: str) -> dict[str, float]:
    """The part of all samples in each step (name, pattern of its frames): the innermost frame that belongs to one says which."""
    patterns = [(name, re.compile(pattern)) for name, pattern in steps]
    total, found = max(1, stacks.total()), Counter[str]()
    for stack, count in stacks.items():
        found[next((name for frame in reversed(stack) for name, pattern in patterns if pattern.search(frame)), rest)] += count
    return {name: count / total for name, count in found.most_common()}


def svg(stacks: Stacks, title: str) -> str:
    """The picture. Frames narrower than a third of a pixel are left out."""
    root = Box(title)
    for stack, count in stacks.items():
        root.samples += count
        box = root
        for frame in stack:
            box = box.inside.setdefault(frame, Box(frame))
            box.samples += count
    drawn = list(_drawn(root, 0.0, 0, WIDTH / max(1, root.samples)))
    height = (max((depth for _, _, depth, _ in drawn), default=0) + 2) * ROW
    body = "\n".join(_rectangle(box, left, height - (depth + 1) * ROW, width, root.samples) for box, left, depth, width in drawn)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="11">'
    return f"{head}\n<title>{escape(title)}</title>\n{body}\n</svg>\n"


def _drawn(box: Box, left: float, depth: int, scale: float) -> Iterable[tuple[Box, float, int, float]]:
    width = box.samples * scale
    if width < THINNEST:
        return
    yield box, left, depth, width
    for inside in sorted(box.inside.values(), key=lambda one: one.name):
        yield from _drawn(inside, left, depth + 1, scale)
        left += inside.samples * scale


def _rectangle(box: Box, left: float, top: float, width: float, total: int) -> str:
    colour = COLOURS[sum(box.name.encode()) % len(COLOURS)]
    said = escape(f"{box.name}: {box.samples} samples, {box.samples / total:.1%}")
    room = int(width / CHARACTER) - 1
    text = f'<text x="{left + 2:.1f}" y="{top + 12}">{escape(box.name[:room])}</text>' if room > 2 else ""
    return f'<g><title>{said}</title><rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{ROW - 1}" fill="{colour}"/>{text}</g>'

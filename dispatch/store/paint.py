"""Bulk import: the bitmaps of many new providers at once.

A batch sorted by bucket gets runs of neighbouring slots; each bitmap is then written whole bytes at a time, a long run or many short ones
in one command, instead of bit by bit. Until ``admit`` nobody can match the batch, so no call has to be large.
"""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

import anyio
import numpy as np
from numpy.typing import NDArray

from dispatch.store.calls import Calls
from dispatch.store.footprint import Footprint, names
from dispatch.zones import Grid

PIECES = 3_000  # written in one call: some 2 ms
LONGEST = 512  # providers in a run
SHORT, TOGETHER = 8, 128  # bytes of a run that is painted together with others, and how many bytes those are
WORD = 4  # bytes of a piece

Bitmaps = NDArray[np.uint8]  # one a row


class Run:
    """Providers on neighbouring slots, the first on a byte."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.prints: list[Footprint] = []

    @property
    def width(self) -> int:
        """Bytes that it takes in a bitmap."""
        return -(-len(self.prints) // 8)


class Canvas:
    """Runs that are painted together: in each bitmap their bytes one after the other, and where in the store each piece of them belongs."""

    def __init__(self, runs: Sequence[Run]) -> None:
        self.prints = [one for run in runs for one in run.prints]
        self.width = sum(run.width for run in runs)
        self._at = np.concatenate([8 * before + np.arange(len(run.prints)) for run, before in zip(runs, _ends(runs), strict=True)])
        if len(runs) == 1:
            self._pieces = [(0, runs[0].first // 8, self.width)]
        else:
            self._pieces = [piece for run, before in zip(runs, _ends(runs), strict=True) for piece in _words(run, before)]

    def calls(self) -> Iterator[dict[str, Any]]:
        """The arguments of the calls of `paint` that write all of it."""
        packed = self._quarters()
        worked = np.flatnonzero(packed.any(axis=1))
        common = {"base": self.prints[0].work.first, "width": self.width, "pieces": self._pieces}
        at_once = max(1, PIECES // max(len(self._pieces), 3))
        for at in range(0, len(worked), at_once):
            columns = worked[at : at + at_once]
            yield {**common, "at": columns.astype("<u2").tobytes(), "bytes": packed[columns].tobytes(), "sets": []}
        reach, rim = ([one.net[column] for one in self.prints] for column in (0, 1))
        sets = [*self._cells("x_reach", reach), *self._cells("x_rim", rim), *self._parts()]
        for at in range(0, len(sets), at_once):
            yield {**common, "at": b"", "bytes": b"", "sets": sets[at : at + at_once]}

    def _quarters(self) -> Bitmaps:
        """A bitmap a quarter. Patterns of hours repeat, so they are unpacked once."""
        patterns = {touched: place for place, touched in enumerate(dict.fromkeys(one.work.touched for one in self.prints))}
        worked = np.unpackbits(np.frombuffer(b"".join(patterns), np.uint8).reshape(len(patterns), -1), axis=1)
        bits = np.zeros((worked.shape[1], 8 * self.width), np.uint8)
        bits[:, self._at] = worked.T[:, [patterns[one.work.touched] for one in self.prints]]
        return np.packbits(bits, axis=1)

    def _cells(self, template: str, cells: Sequence[Grid]) -> Iterator[tuple[str, str, bytes]]:
        """A bitmap a cell."""
        found, rows = np.unique(np.concatenate(cells), return_inverse=True)
        grid = np.zeros((len(found), 8 * self.width), np.bool_)
        grid[rows, np.repeat(self._at, [len(some) for some in cells])] = True
        yield from ((template, name, row.tobytes()) for name, row in zip(names(found), np.packbits(grid, axis=1), strict=True))

    def _parts(self) -> Iterator[tuple[str, Any, bytes]]:
        """Every other bitmap they stand in: (template, part, bytes)."""
        bits: dict[tuple[str, Any], bytearray] = {}
        for index, one in zip(self._at.tolist(), self.prints, strict=True):
            for template, parts in one.parts.items():
                for part in parts:
                    row = bits.get((template, part)) or bits.setdefault((template, part), bytearray(self.width))
                    row[index >> 3] |= 128 >> (index & 7)
        yield from ((template, part, bytes(row)) for (template, part), row in bits.items())


def _ends(runs: Sequence[Run]) -> list[int]:
    """For each run, how many bytes come before it."""
    return [0, *accumulate(run.width for run in runs)][:-1]


def _words(run: Run, before: int) -> Iterator[tuple[int, int, int]]:
    """Its pieces of at most four bytes: (byte here, byte in the store, width)."""
    for at in range(0, run.width, WORD):
        yield before + at, run.first // 8 + at, min(WORD, run.width - at)


def canvases(runs: Sequence[Run]) -> Iterator[Canvas]:
    """Long runs alone, short ones together."""
    short: list[Run] = []
    for run in runs:
        if run.width > SHORT:
            yield Canvas([run])
            continue
        if short and sum(one.width for one in short) + run.width > TOGETHER:
            yield Canvas(short)
            short = []
        short.append(run)
    if short:
        yield Canvas(short)


def runs(placed: Sequence[tuple[int, Footprint]]) -> list[Run]:
    """Runs of (slot, footprint): neighbours stay together, and a run begins on a byte."""
    found: list[Run] = []
    for slot, one in placed:
        last = found[-1] if found else None
        if last is None or slot != last.first + len(last.prints) or (len(last.prints) >= LONGEST and slot % 8 == 0):
            found.append(last := Run(slot))
        last.prints.append(one)
    return found


async def paint(calls: Calls, market: str, shelf: int, placed: Sequence[tuple[int, Footprint]]) -> None:
    """Writes the bitmaps of providers enrolled on one shelf, in bounded calls one after the other."""
    for canvas in canvases(runs(placed)):
        for arguments in canvas.calls():
            at: int | None = 0
            while at is not None:
                at = (await calls.verb("paint", market, shelf=shelf, **arguments, **{"from": at})).get("from")
        await anyio.sleep(0)

"""Bulk import: the bitmaps of many new providers at once.

A batch sorted by bucket gets runs of neighbouring slots; each bitmap is then written a run at a time, whole bytes, instead of bit by
bit. Until ``admit`` nobody can match the batch, so no call has to be large.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import anyio
import numpy as np
from numpy.typing import NDArray

from dispatch.store.calls import Calls
from dispatch.store.footprint import Footprint, names
from dispatch.zones import Grid

WRITES = 1_000  # SETRANGE in one call: some 2 ms
LONGEST = 512  # providers in a run

Bitmaps = NDArray[np.uint8]  # one a row


class Run:
    """Providers on neighbouring slots, the first on a byte."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.prints: list[Footprint] = []

    def calls(self) -> Iterator[dict[str, Any]]:
        """The arguments of the calls of `paint` that write this run."""
        packed = self._quarters()
        worked = np.flatnonzero(packed.any(axis=1))
        common = {"base": self.prints[0].work.first, "offset": self.first // 8, "width": packed.shape[1]}
        for at in range(0, len(worked), WRITES):
            columns = worked[at : at + WRITES]
            yield {**common, "at": columns.astype("<u2").tobytes(), "bytes": packed[columns].tobytes(), "sets": []}
        reach, rim = ([one.net[column] for one in self.prints] for column in (0, 1))
        sets = [*self._cells("x_reach", reach), *self._cells("x_rim", rim), *self._parts()]
        for at in range(0, len(sets), WRITES):
            yield {**common, "at": b"", "bytes": b"", "sets": sets[at : at + WRITES]}

    def _quarters(self) -> Bitmaps:
        """A bitmap a quarter. Patterns of hours repeat, so they are unpacked once."""
        patterns = {touched: place for place, touched in enumerate(dict.fromkeys(one.work.touched for one in self.prints))}
        worked = np.unpackbits(np.frombuffer(b"".join(patterns), np.uint8).reshape(len(patterns), -1), axis=1)
        return np.packbits(worked.T[:, [patterns[one.work.touched] for one in self.prints]], axis=1)

    def _cells(self, template: str, cells: Sequence[Grid]) -> Iterator[tuple[str, str, bytes]]:
        """A bitmap a cell."""
        found, rows = np.unique(np.concatenate(cells), return_inverse=True)
        grid = np.zeros((len(found), len(self.prints)), np.bool_)
        grid[rows, np.repeat(np.arange(len(cells)), [len(some) for some in cells])] = True
        yield from ((template, name, row.tobytes()) for name, row in zip(names(found), np.packbits(grid, axis=1), strict=True))

    def _parts(self) -> Iterator[tuple[str, Any, bytes]]:
        """Every other bitmap the run stands in: (template, part, bytes)."""
        size = -(-len(self.prints) // 8)
        bits: dict[tuple[str, Any], bytearray] = {}
        for index, one in enumerate(self.prints):
            for template, parts in one.parts.items():
                for part in parts:
                    row = bits.get((template, part)) or bits.setdefault((template, part), bytearray(size))
                    row[index >> 3] |= 128 >> (index & 7)
        yield from ((template, part, bytes(row)) for (template, part), row in bits.items())


def runs(placed: Sequence[tuple[int, Footprint]]) -> list[Run]:
    """Runs of (slot, footprint): neighbours stay together, and a run begins on a byte."""
    found: list[Run] = []
    for slot, one in placed:
        last = found[-1] if found else None
        if last is None or slot != last.first + len(last.prints) or (len(last.prints) >= LONGEST and slot % 8 == 0):
            found.append(last := Run(slot))
        last.prints.append(one)
    return found


async def paint(calls: Calls, market: str, placed: Sequence[tuple[int, Footprint]]) -> None:
    """Writes the bitmaps of enrolled providers, in bounded calls one after the other."""
    for run in runs(placed):
        for arguments in run.calls():
            at: int | None = 0
            while at is not None:
                at = (await calls.verb("paint", market, **arguments, **{"from": at})).get("from")
        await anyio.sleep(0)

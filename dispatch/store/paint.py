"""Bulk import: the bitmaps of many new providers at once.

A batch sorted by bucket gets runs of neighbouring slots; each bitmap is then written a run at a time, whole bytes, instead of bit by
bit. Until ``admit`` nobody can match the batch, so no call has to be large.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from dispatch.store.calls import Calls

WRITES = 1_000  # SETRANGE in one call: some 2 ms
LONGEST = 512  # providers in a run
SETS = (("x_inside", "inside"), ("x_rim", "rim"), ("x_area", "areas"), ("x_service", "services"), ("x_ragged", "ragged"))


class Run:
    """Providers on neighbouring slots, the first on a byte."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.facts: list[dict[str, Any]] = []

    def calls(self) -> Iterator[dict[str, Any]]:
        """The arguments of the calls of `paint` that write this run."""
        grid = np.unpackbits(np.frombuffer(b"".join(facts["quarters"] for facts in self.facts), np.uint8).reshape(len(self.facts), -1), axis=1)
        packed = np.ascontiguousarray(np.packbits(grid, axis=0).T)
        worked = np.flatnonzero(packed.any(axis=1))
        common = {"base": self.facts[0]["first"], "offset": self.first // 8, "width": packed.shape[1]}
        for at in range(0, len(worked), WRITES):
            columns = worked[at : at + WRITES]
            yield {**common, "at": columns.astype("<u2").tobytes(), "bytes": packed[columns].tobytes(), "sets": []}
        sets = list(self._sets())
        for at in range(0, len(sets), WRITES):
            yield {**common, "at": b"", "bytes": b"", "sets": sets[at : at + WRITES]}

    def _sets(self) -> Iterator[tuple[str, Any, bytes]]:
        """Every other bitmap the run stands in: (template, part, bytes)."""
        size = -(-len(self.facts) // 8)
        for template, field in SETS:
            bits: dict[Any, bytearray] = {}
            for index, facts in enumerate(self.facts):
                for part in facts[field]:
                    row = bits.get(part) or bits.setdefault(part, bytearray(size))
                    row[index >> 3] |= 128 >> (index & 7)
            yield from ((template, part, bytes(row)) for part, row in bits.items())


def runs(placed: Sequence[tuple[int, dict[str, Any]]]) -> list[Run]:
    """Runs of (slot, facts): neighbours stay together, and a run begins on a byte."""
    found: list[Run] = []
    for slot, facts in placed:
        last = found[-1] if found else None
        if last is None or slot != last.first + len(last.facts) or (len(last.facts) >= LONGEST and slot % 8 == 0):
            found.append(last := Run(slot))
        last.facts.append(facts)
    return found


async def paint(calls: Calls, market: str, placed: Sequence[tuple[int, dict[str, Any]]]) -> None:
    """Writes the bitmaps of enrolled providers, in bounded calls one after the other."""
    for run in runs(placed):
        for arguments in run.calls():
            await calls.verb("paint", market, **arguments)

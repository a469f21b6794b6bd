"""Bulk import: the bitmaps of many new providers at once.

A batch sorted by bucket gets runs of neighbouring slots; each bitmap is then written a run at a time, whole bytes, instead of bit by
bit: some twenty times fewer writes. Until ``admit`` nobody can match the batch, so no call has to be large.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from dispatch.store.calls import Calls

WRITES = 1_200  # SETRANGE in one call: under 2 ms
Write = tuple[str, Any, int, bytes]


class Run:
    """Providers on neighbouring slots, the first on a byte."""

    def __init__(self, first: int) -> None:
        self.first = first
        self.facts: list[dict[str, Any]] = []

    def writes(self) -> Iterator[Write]:
        """Every (template, part, byte offset, bytes) of the run."""
        yield from self._quarters()
        for template, field in (("x_inside", "inside"), ("x_rim", "rim"), ("x_area", "areas"), ("x_service", "services"), ("x_ragged", "ragged")):
            yield from self._sets(template, field)

    def _quarters(self) -> Iterator[Write]:
        grid = np.stack([np.unpackbits(np.frombuffer(facts["quarters"], dtype=np.uint8)) for facts in self.facts])
        packed = np.packbits(grid, axis=0)
        first = self.facts[0]["first"]
        for column in np.flatnonzero(grid.any(axis=0)):
            yield "x_quarter", first + int(column), self.first // 8, packed[:, column].tobytes()

    def _sets(self, template: str, field: str) -> Iterator[Write]:
        bits: dict[Any, bytearray] = {}
        size = -(-len(self.facts) // 8)
        for index, facts in enumerate(self.facts):
            for part in facts[field]:
                row = bits.setdefault(part, bytearray(size))
                row[index >> 3] |= 128 >> (index & 7)
        for part, row in bits.items():
            yield template, part, self.first // 8, bytes(row)


def runs(placed: Sequence[tuple[int, dict[str, Any]]]) -> list[Run]:
    """Runs of (slot, facts): neighbours stay together, and a run begins on a byte."""
    found: list[Run] = []
    for slot, facts in placed:
        if not found or slot != found[-1].first + len(found[-1].facts):
            found.append(Run(slot))
        found[-1].facts.append(facts)
    return found


async def paint(calls: Calls, market: str, placed: Sequence[tuple[int, dict[str, Any]]]) -> None:
    """Writes the bitmaps of enrolled providers, in bounded calls one after the other."""
    pending: list[Write] = []
    for run in runs(placed):
        for write in run.writes():
            pending.append(write)
            if len(pending) == WRITES:
                await calls.verb("paint", market, bytes=pending)
                pending = []
    if pending:
        await calls.verb("paint", market, bytes=pending)

"""What it costs to be able to explain a wave later: the record of a decision beside the match that it belongs to (R8), and a draw (R6).

Inside the server, in the same run and on the same city: a search for the first K, a row of the record (of one that is not full yet, as
nearly every booking's, and of a full one), and a draw among the newcomers, each many times in one call, by the server's processor time;
and the bytes of a full record.
"""

import argparse
import asyncio
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.town import CASES, Town, cpu_us, load, queries
from dispatch.store import Clock, Store
from dispatch.store.bookings import plain
from dispatch.store.calls import Calls, make_redis
from dispatch.store.embedded import Embedded
from dispatch.store.functions import Library, install, library
from dispatch.store.keys import key

TIMES, AT_MOST, BYTES, BOOKING = 100, 0.05, 1_024, 1
STEPS = ("match", "row", "full", "draw")
FULL = 45  # rows of a record from which on each new one takes the place of an old one
BOOST = """
do
-- Only for the bench: one step of a wave, many times.
local function ready(m, a)
  local q = a.query
  q.minute = a.minute
  return fits.prepare(m, q)
end
local function once(m, a, what, b)
  if what == 'match' then find.first(m, ready(m, a), a.k)
  elseif what == 'draw' then newcomers.draw(m, ready(m, a), { no = b.no, seed = 7 }, 1)
  else decisions.note(m, b, a.plan, { first = true, seats = 3, drawn = 0, last = 40, gap = 1800000 }) end
end
function verbs.repeated(m, a)
  local b = { no = a.bno, round = 1, opened_at = clock.now() }
  for _ = 1, a.times do once(m, a, a.what, b) end
  return reply('DONE')
end
end
local function serve(verb"""


def with_verb() -> Library:
    """The library and one verb more."""
    found = library()
    old = "\nlocal function serve(verb"
    assert found.text.count(old) == 1
    digest = found.name.rpartition("_")[2]
    text = found.text.replace(old, BOOST).replace(f"_{digest}", "_explainbench")
    text += "redis.register_function('repeated_explainbench', function(k, args) return serve('repeated', args) end)\n"
    return Library("dispatch_explainbench", text, found.verbs | {"repeated"})


@dataclass(slots=True)
class Row:
    """Microseconds of the server's processor for each step, at one point of the grid."""

    size: int
    case: str
    us: dict[str, list[float]] = field(default_factory=lambda: {step: [] for step in STEPS})

    def ratio(self, step: str) -> float:
        """How many matches a step takes, by the medians."""
        return median(self.us[step]) / median(self.us["match"])


async def measure(calls: Calls, town: Town, case: str, rounds: int, k: int) -> Row:
    """The steps in turn, so that what disturbs the machine disturbs them alike."""
    row, asked = Row(town.size, case), queries(town, CASES[case], rounds)
    plan = {"wave": 1, "kind": "wave", "size": 3}
    for one in asked:
        arguments = {"query": plain(one["query"]), "minute": one["minute"], "k": k, "bno": BOOKING, "plan": plan, "times": TIMES}
        for step in STEPS:
            times = FULL if step == "row" else TIMES
            if step == "row":
                await calls.command("DEL", key("decisions", town.market.id, BOOKING))
            before = await cpu_us(calls)
            await calls.verb("repeated", town.market.id, **arguments | {"what": step, "times": times})
            row.us[step].append((await cpu_us(calls) - before) / times)
    return row


async def run(url: str, sizes: list[int], rounds: int, k: int) -> tuple[list[Row], int]:
    """Every point of the grid, and the bytes of a full record."""
    lib = with_verb()
    calls = Calls(make_redis(url, connections=1, answers_within_s=60), Clock())
    calls.library, calls._names = lib, {verb: lib.function(verb) for verb in lib.verbs}
    calls.redis.response_callbacks.clear()
    await install(calls.redis, lib)
    store, rows, full = Store(calls, calls), [], 0
    with Progress() as progress:
        for size in sizes:
            town = await load(store, calls, size, progress)
            bar = progress.add_task("steps", total=len(CASES))
            for case in CASES:
                rows.append(await measure(calls, town, case, rounds, k))
                progress.advance(bar)
            full = max(full, int(await calls.command("MEMORY", "USAGE", key("decisions", town.market.id, BOOKING), "SAMPLES", 0)))
    await calls.redis.aclose()
    return rows, full


def shown(rows: list[Row], full: int, k: int) -> Table:
    """The table."""
    table = Table(title=f"what a wave costs the store's processor, microseconds; K = {k}")
    for name in ("providers", "who fits", "match", "record", "of a match", "record, full", "of a match", "a draw", "of a match"):
        table.add_column(name, justify="right")
    for row in rows:
        cells = [f"{median(row.us['match']):.1f}"]
        for step, decimals in (("row", 2), ("full", 2), ("draw", 1)):
            cells += [f"{median(row.us[step]):.{decimals}f}", f"{row.ratio(step):.1%}"]
        table.add_row(f"{row.size:,}", row.case, *cells)
    table.caption = f"a full record takes {full:,} bytes, of at most {BYTES:,}; a row may take {AT_MOST:.0%} of a match"
    return table


def main(argv: list[str]) -> int:
    """`python -m bench explain`."""
    parser = argparse.ArgumentParser(prog="python -m bench explain", description=__doc__)
    parser.add_argument("--providers", default="10000", help="sizes of the city, with commas between")
    parser.add_argument("--rounds", type=int, default=30, help=f"times each step is taken {TIMES} times at each point")
    parser.add_argument("--k", type=int, default=10)
    chosen = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="d-bench-") as folder, Embedded(Path(folder), "dev") as server:
        rows, full = asyncio.run(run(server.url, [int(size) for size in chosen.providers.split(",")], chosen.rounds, chosen.k))
    Console(width=160).print(shown(rows, full, chosen.k))
    fitting = [row for row in rows if row.case != "nobody"]  # where nobody fits, nearly nothing is done that could be compared with
    return 0 if full < BYTES and all(row.ratio("row") <= AT_MOST for row in fitting) else 1

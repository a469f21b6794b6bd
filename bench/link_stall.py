"""Readers that stop: 1 % of 15,000 devices read nothing any more while messages for them go on. What do the others notice, and what then?

In each round the same messages go to the same devices twice: first they read, then they do not. Either time they are so many as it takes to
fill what is kept for one who does not read, and no more: who is cut takes none any more, and who reads must not get more to do than he.
Meanwhile five others at a time are told something; a ratio is of their times with nobody stalled. Whoever stalls must be cut within 15 s
of it (the gateway's own count of links closed as slow says when), and the gateway's memory may grow by no more than what it may keep for
each of them.
"""

import argparse
import re
import time
from concurrent.futures import ThreadPoolExecutor

from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bench.peers.machine import machine
from bench.peers.pushers import speaking
from bench.peers.rounds import Times, part, table
from bench.serving import Served, serving
from bench.swarm.crowd import Crowd, held
from bench.swarm.files import raise_limit
from bench.swarm.verdict import Asked, told
from bench.swarm.watch import load, rss_kb

READING, STALLED = "nobody stalled", "1 % stalled"
SIZE, PER_S, EACH = 8_192, 4.0, 24  # of the messages to those who stall: bytes, how often, how many; 24 are what queue and kernel keep
RATIO, CUT_S, KEPT_KB = 1.3, 15.0, 256  # the last: what may be kept for one, in queue, transport and the library's buffers
LOOK_S, GIVE_UP_S = 1.0, 60.0


class Watched:
    """The gateway of an engine: its memory, and how many links it has cut as too slow or silent."""

    def __init__(self, served: Served, pid: int) -> None:
        self._served, self._pid = served, pid
        self.kb = rss_kb(pid)

    def cut(self) -> int:
        """Links that ended with 4009 or 4011, or without a goodbye."""
        self.kb = max(self.kb, rss_kb(self._pid))
        rows = re.findall(r'^dispatch_gateway_closes_total\{.*?code="(?:4009|4011|1006)".*?\} ([\d.e+]+)', self._served.metrics(), re.M)
        return round(sum(map(float, rows)))


def until_cut(watched: Watched, before: int, count: int, begun: float, least_s: float) -> list[float]:
    """When each was gone, in s since ``begun``, as well as a look every second can tell. Looks ``least_s`` at least, a minute at most."""
    seen: list[float] = []
    while (now := time.monotonic() - begun) < GIVE_UP_S and (now < least_s or len(seen) < count):
        time.sleep(LOOK_S)
        seen += [time.monotonic() - begun] * (watched.cut() - before - len(seen))
    return seen + [GIVE_UP_S] * (count - len(seen))


def measure(
    crowd: Crowd, watched: Watched, stalled: int, rounds: int, waves: int, rate: float, progress: Progress
) -> tuple[Times, list[float]]:
    """The times of the others with and without, and after how long each who stalled was cut."""
    times, cuts, number = Times(), [], 0
    bar = progress.add_task("rounds", total=2 * rounds)
    with ThreadPoolExecutor(1) as looking:
        for turn in range(rounds):
            first = 2 * stalled * turn
            for name in (READING, STALLED):
                before, begun, count = watched.cut(), time.monotonic(), stalled if name == STALLED else 0
                if count:
                    crowd.ask("stall", first, count)
                crowd.ask("flood", first, stalled, SIZE, PER_S, EACH)
                looked = looking.submit(
                    until_cut, watched, before, count, begun, waves / rate
                )  # in both halves: a look costs something too
                for wave in crowd.ask("round", "publish", waves, rate, number)["waves"]:
                    for ms in wave:
                        times.add(name, turn, ms)
                number += waves
                cuts += looked.result()
                crowd.ask("calm")
                progress.advance(bar)
    return times, cuts


def p99_ratio(times: Times) -> float:
    """Of the others' p99 in a round, stalled beside reading: the median of the rounds."""
    rounds = times.taken[STALLED]
    return part([part(rounds[turn], 0.99) / part(times.taken[READING][turn], 0.99) for turn in rounds], 0.5)


def asked(times: Times, cuts: list[float], grown_kb: float) -> list[Asked]:
    """What must hold."""
    return [
        Asked(words="p99 of the others beside the same with nobody stalled", seen=p99_ratio(times), unit=" times", at_most=RATIO),
        Asked(words="the last who stalled was cut after", seen=max(cuts), unit=" s", at_most=CUT_S),
        Asked(words="memory of the gateway grew for each who stalled by", seen=grown_kb, unit=" KB", at_most=KEPT_KB),
    ]


def main(argv: list[str]) -> int:
    """`python -m bench link-stall`."""
    parser = argparse.ArgumentParser(prog="python -m bench link-stall", description=__doc__)
    parser.add_argument("--devices", type=int, default=15_000)
    parser.add_argument("--share", type=float, default=0.01, help="of them who stall, in each round others")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--waves", type=int, default=300, help="to the others, in each half of a round")
    parser.add_argument("--rate", type=float, default=20, help="of these a second")
    chosen = parser.parse_args(argv)
    raise_limit(chosen.devices)
    stalled = max(1, round(chosen.devices * chosen.share))
    with serving() as served, Progress() as progress:
        server = speaking(served)
        with held(server, chosen.devices, "ours", progress, lazy=chosen.rounds * stalled) as crowd:
            watched = Watched(served, server.pid)
            empty = watched.kb
            times, cuts = measure(crowd, watched, stalled, chosen.rounds, chosen.waves, chosen.rate, progress)
            busy, grown = load(), (watched.kb - empty) / stalled
    print(f"{machine()}; {busy}")
    Console(width=140).print(table(f"five others told, {chosen.devices:,} devices", [("push", times)], READING))
    Console(width=140).print(cut_table(cuts, stalled))
    return told(asked(times, cuts, grown))


def cut_table(cuts: list[float], stalled: int) -> Table:
    """When they were cut."""
    shown = Table(title=f"{len(cuts)} readers stalled, {stalled} at a time; s until they were cut")
    for head in ("first", "half", "last"):
        shown.add_column(head, justify="right")
    shown.add_row(*(f"{part(cuts, share):.1f}" for share in (0.0, 0.5, 1.0)))
    return shown

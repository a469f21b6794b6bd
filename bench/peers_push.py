"""Push beside nchan, NATS, python-socketio and Starlette: each holds so many open websockets, and five of them are told at a time.

All hold their sockets throughout; in each round one after the other gets some waves at a steady rate. Measured is a publish, from before
the request is sent to each of the five that hears it: in ours a message for each, handed to the gateway as the store's verbs hand theirs
over. Beside it, for what it is, the POST of a booking: matched, written and fsynced before the five are told.
"""

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from bench.peers import Absent
from bench.peers.holding import SIZE
from bench.peers.machine import machine
from bench.peers.pushers import PUSHERS, Server, ours
from bench.peers.rounds import Holds, Times, table

OURS, POSTED, BESIDE = "ours", "ours: POST /bookings", "nchan"
AT_MOST = 3.0
SPARE, ROOM = 500, 2  # files that a process needs beside its sockets; nginx wants room for twice as many
ROOT = Path(__file__).resolve().parents[1]


class Holding:
    """A process that holds the sockets of one contender."""

    def __init__(self, process: "subprocess.Popen[str]", server: Server) -> None:
        self._process, self.server = process, server

    def ask(self, order: str = "") -> dict[str, Any]:
        """Its next word, after an order. Raises RuntimeError when it has ended."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if order:
            self._process.stdin.write(f"{order}\n")
            self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"what held the sockets of {self.server.version} has ended with code {self._process.wait()}")
        if (word := json.loads(line)).get("failed"):
            raise RuntimeError(f"{self.server.version} lost a socket: {word['failed']}")
        return dict(word)


@contextmanager
def holding(server: Server, count: int, name: str, progress: Progress) -> Iterator[Holding]:
    """All sockets of a contender, open."""
    command = [sys.executable, "-m", "bench.peers.holding", server.speech[0], str(count), *server.speech[1:]]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        held, bar = Holding(process, server), progress.add_task(f"{name}: sockets", total=count)
        try:
            while not (word := held.ask()).get("ready"):
                progress.update(bar, completed=word["open"])
            progress.update(bar, completed=count)
            yield held
        finally:
            process.kill()


def raise_limit(sockets: int) -> int:
    """Lets every process have as many files open as it may; how many. Raises SystemExit saying what would be right."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = ROOM * sockets + SPARE if most == resource.RLIM_INFINITY else most
    if limit < sockets + SPARE:
        raise SystemExit(
            f"a process may open {most} files here, {sockets} sockets need {sockets + SPARE}: raise `ulimit -Hn`, or lower --sockets"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, most))
    return min(limit, ROOM * sockets + SPARE)


def measure(contenders: dict[str, Holding], rounds: int, waves: int, rate: float, progress: Progress) -> tuple[Times, dict[str, int]]:
    """All rounds, another one first in each; and how many messages each left out. Raises RuntimeError when one that was published did not
    arrive; of a booking the engine may ask fewer, when it has to do without some who are just then out of reach."""
    unheard: dict[str, int] = {}
    times, names = Times(), [*contenders, *([POSTED] if OURS in contenders else [])]
    bar = progress.add_task("rounds", total=(rounds + 1) * len(names))
    for turn in range(-1, rounds):  # the first, which warms everybody, does not count
        for name in (*names[turn % len(names) :], *names[: turn % len(names)]):
            way, held = ("post", contenders[OURS]) if name == POSTED else ("publish", contenders[name])
            first = (2 * (turn + 1) + (name == POSTED)) * waves
            answer = held.ask(f"{way} {waves} {rate} {first}")
            if (short := sum(answer["missing"].values())) and name != POSTED:
                raise RuntimeError(f"{name}: of {waves} waves of {SIZE} these were not heard by so many: {answer['missing']}")
            unheard[name] = unheard.get(name, 0) + short
            for ms in answer["ms"] if turn >= 0 else ():
                times.add(name, turn, ms)
            progress.advance(bar)
    return times, unheard


def main(argv: list[str]) -> int:
    """`python -m bench peers-push`."""
    parser = argparse.ArgumentParser(prog="python -m bench peers-push", description=__doc__)
    parser.add_argument("--sockets", type=int, default=10_000, help="open websockets of each")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--waves", type=int, default=50, help="in a round, of five messages each")
    parser.add_argument("--rate", type=float, default=10, help="waves a second")
    parser.add_argument("--peers", default=",".join(PUSHERS), help="whom to measure, with commas between")
    chosen = parser.parse_args(argv)
    files = raise_limit(chosen.sockets)
    with ExitStack() as stack:
        progress = stack.enter_context(Progress())
        contenders = {}
        for name in (OURS, *(name for name in chosen.peers.split(",") if name)):
            try:
                server = stack.enter_context(ours(files) if name == OURS else PUSHERS[name](files))
            except Absent as absent:
                print(f"skipped {name}: {absent}", file=sys.stderr)
                continue
            contenders[name] = stack.enter_context(holding(server, chosen.sockets, name, progress))
        times, unheard = measure(contenders, chosen.rounds, chosen.waves, chosen.rate, progress)
        versions = "; ".join(held.server.version for held in contenders.values())
    print(f"{machine()}\n{versions}")
    title = f"{SIZE} of {chosen.sockets:,} sockets told at a time, {chosen.rate:g} times a second, {chosen.rounds} rounds"
    shown = table(title, [("push", times)], OURS)
    shown.caption = f"of the bookings, {unheard[POSTED]} proposals fewer than {SIZE} each" if unheard[POSTED] else None
    Console(width=140).print(shown)
    held = [Holds("push, ours beside nchan", times.ratio(OURS, BESIDE), at_most=AT_MOST)] if BESIDE in times.taken else []
    print("\n".join(one.line() for one in held))
    return 0 if all(held) else 1

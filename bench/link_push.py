"""Push to 5 of 15,000 connected devices, beside nchan and NATS in the same run: from before a publish until all five have it.

All hold their sockets throughout; in each round one after the other gets some waves at a steady rate. A bare publish is what all of them
can do, and what is asked: ours gets a message for each of the five on the channel and in the form in which the store's verbs hand theirs
over, and no verb runs. What a verb adds stands beside it: the POST of a booking, matched, written and fsynced before the five are told.
"""

import argparse
from collections.abc import Sequence
from contextlib import ExitStack

from rich.console import Console
from rich.progress import Progress

from bench.peers import Absences, Absent
from bench.peers.machine import machine
from bench.peers.pushers import PUSHERS, ours
from bench.peers.rounds import Times, table
from bench.peers.speech import SIZE
from bench.swarm.crowd import Crowd, held
from bench.swarm.files import raise_limit
from bench.swarm.verdict import Asked, told
from bench.swarm.watch import load

OURS, POSTED = "ours: a bare publish", "ours: POST /bookings -> frame, its verb included"
P50_MS, P99_MS = 3.0, 20.0


def measure(crowds: dict[str, Crowd], rounds: int, waves: int, rate: float, progress: Progress) -> Times:
    """Of each wave the ms until the last of the five had it. Raises RuntimeError when one that was published did not arrive."""
    times, names = Times(), [*crowds, *([POSTED] if OURS in crowds else [])]
    bar = progress.add_task("rounds", total=(rounds + 1) * len(names))
    for turn in range(-1, rounds):  # the first, which warms everybody, does not count
        for name in (*names[turn % len(names) :], *names[: turn % len(names)]):
            way, crowd = ("post", crowds[OURS]) if name == POSTED else ("publish", crowds[name])
            first = (2 * (turn + 1) + (name == POSTED)) * waves
            for ms in heard(name, crowd.ask("round", way, waves, rate, first)["waves"]) if turn >= 0 else ():
                times.add(name, turn, ms)
            progress.advance(bar)
    return times


def heard(name: str, waves: Sequence[Sequence[float]]) -> list[float]:
    """When the last of each wave had it. Of a booking fewer may be asked, when some are just then out of reach."""
    if name != POSTED and any(len(wave) != SIZE for wave in waves):
        raise RuntimeError(f"{name}: some of {len(waves)} waves were not heard by all {SIZE}: {sorted(map(len, waves))[:5]}")
    return [max(wave) for wave in waves if wave]


def asked(times: Times) -> list[Asked]:
    """What must hold: of a publish, not of a verb."""
    return [
        Asked(words="bare publish to all five, p50", seen=times.at(OURS, 0.5), unit=" ms", at_most=P50_MS),
        Asked(words="bare publish to all five, p99", seen=times.at(OURS, 0.99), unit=" ms", at_most=P99_MS),
    ]


def main(argv: list[str]) -> int:
    """`python -m bench link-push`."""
    parser = argparse.ArgumentParser(prog="python -m bench link-push", description=__doc__)
    parser.add_argument("--devices", type=int, default=15_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--waves", type=int, default=100, help="in a round")
    parser.add_argument("--rate", type=float, default=10, help="waves a second")
    parser.add_argument("--peers", default="nchan,NATS", help=f"beside whom, with commas between: {', '.join(PUSHERS)}")
    chosen = parser.parse_args(argv)
    files, crowds, versions, absences = raise_limit(chosen.devices), {}, [], Absences()
    with ExitStack() as stack:
        progress = stack.enter_context(Progress())
        for name in (OURS, *(name for name in chosen.peers.split(",") if name)):
            try:
                server = stack.enter_context(ours(files) if name == OURS else PUSHERS[name](files))
            except Absent as absent:
                absences.note(name, absent)
                continue
            crowds[name] = stack.enter_context(held(server, chosen.devices, name, progress))
            versions.append(server.version)
        times = measure(crowds, chosen.rounds, chosen.waves, chosen.rate, progress)
        busy = load()
    print(f"{machine()}; {busy}\n{'; '.join(versions)}")
    title = f"all {SIZE} of {chosen.devices:,} told, {chosen.rate:g} times a second, {chosen.rounds} rounds"
    Console(width=140).print(table(title, [("push", times)], OURS))
    return told(asked(times)) if absences.allowed() else 1

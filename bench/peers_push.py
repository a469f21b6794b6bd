"""Push beside nchan, NATS, python-socketio and Starlette: each holds so many open websockets, and five of them are told at a time.

All hold their sockets throughout; in each round one after the other gets some waves at a steady rate. Measured is a publish, from before
the request is sent to each of the five that hears it: in ours a message for each, handed to the gateway as the store's verbs hand theirs
over. Beside it, for what it is, the POST of a booking: matched, written and fsynced before the five are told.
"""

import argparse
from contextlib import ExitStack

from rich.console import Console
from rich.progress import Progress

from bench.peers import Absences, Absent
from bench.peers.machine import machine
from bench.peers.pushers import PUSHERS, ours
from bench.peers.rounds import Holds, Times, table
from bench.peers.speech import SIZE
from bench.swarm.crowd import Crowd, held
from bench.swarm.files import raise_limit

OURS, POSTED, BESIDE = "ours", "ours: POST /bookings", "nchan"
AT_MOST = 3.0


def measure(contenders: dict[str, Crowd], rounds: int, waves: int, rate: float, progress: Progress) -> tuple[Times, dict[str, int]]:
    """All rounds, another one first in each; and how many messages each left out. Raises RuntimeError when one that was published did not
    arrive; of a booking the engine may ask fewer, when it has to do without some who are just then out of reach."""
    unheard: dict[str, int] = {}
    times, names = Times(), [*contenders, *([POSTED] if OURS in contenders else [])]
    bar = progress.add_task("rounds", total=(rounds + 1) * len(names))
    for turn in range(-1, rounds):  # the first, which warms everybody, does not count
        for name in (*names[turn % len(names) :], *names[: turn % len(names)]):
            way, crowd = ("post", contenders[OURS]) if name == POSTED else ("publish", contenders[name])
            first = (2 * (turn + 1) + (name == POSTED)) * waves
            heard = crowd.ask("round", way, waves, rate, first)["waves"]
            if (short := sum(SIZE - len(wave) for wave in heard)) and name != POSTED:
                raise RuntimeError(f"{name}: of {waves} waves of {SIZE} messages {short} were not heard")
            unheard[name] = unheard.get(name, 0) + short
            for ms in (ms for wave in heard for ms in wave) if turn >= 0 else ():
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
    chosen, absences = parser.parse_args(argv), Absences()
    files = raise_limit(chosen.sockets)
    with ExitStack() as stack:
        progress = stack.enter_context(Progress())
        contenders, versions = {}, []
        for name in (OURS, *(name for name in chosen.peers.split(",") if name)):
            try:
                server = stack.enter_context(ours(files) if name == OURS else PUSHERS[name](files))
            except Absent as absent:
                absences.note(name, absent)
                continue
            contenders[name] = stack.enter_context(held(server, chosen.sockets, name, progress))
            versions.append(server.version)
        times, unheard = measure(contenders, chosen.rounds, chosen.waves, chosen.rate, progress)
    print(f"{machine()}\n{'; '.join(versions)}")
    title = f"{SIZE} of {chosen.sockets:,} sockets told at a time, {chosen.rate:g} times a second, {chosen.rounds} rounds"
    shown = table(title, [("push", times)], OURS)
    shown.caption = f"of the bookings, {unheard[POSTED]} proposals fewer than {SIZE} each" if unheard[POSTED] else None
    Console(width=140).print(shown)
    holds = [Holds("push, ours beside nchan", times.ratio(OURS, BESIDE), at_most=AT_MOST)] if BESIDE in times.taken else []
    print("\n".join(one.line() for one in holds))
    return 0 if all(holds) and absences.allowed() else 1

"""What each step of a booking costs in each process: from samples of stacks, frames counted, and the store's verbs measured one by one.

A sample belongs to the innermost frame that names a step. Reading and writing serve several steps: they are charged by the number of
frames of each. What is left is the event loop's own (sockets, waking whoever waits): it is charged to the steps of its process as
their samples are. A thread that waits is no cost at all.
"""

import re
from collections import Counter
from collections.abc import Mapping

from bench import flame

ROWS = ("POST", "match", "open", "wave", "frame", "ack", "accept", "withdrawn", "webhook")
BESIDE = "beside bookings"  # clocks, beats, pings
READ, WRITTEN, LOOP = "read", "written", "loop"  # shared, until they are charged
IDLE = re.compile(r"^(Condition\.wait|wait|Event\.wait) \(threading\.py\)$")
CLOCKS = (BESIDE, r"^(measure \(dispatch/processes/lag|Timers\.|Pulse\.|Moments\.|CancelScope\._timeout|Heart\.)")
PATTERNS = {
    "api": (
        ("match", r"tally \("),
        ("open", r"^(Desk\.|Bookings\.|open_booking)"),
        ("POST", r"^(Ledger\.|once \(dispatch/api)|uvicorn|starlette|dispatch/api"),
        CLOCKS,
    ),
    "gateway": (
        ("ack", r"^(Receipts\.|Claims\.receipts)"),
        ("accept", r"^(Answers\.|Claims\.accept)"),
        (WRITTEN, r"^(Relay\.|Link\.|Wakeups\.|Listening\.)"),
        CLOCKS,
        (READ, r"websockets|^Gateway\."),
    ),
    "worker": (("webhook", r"^(Outbox\.|Deliveries\.)|dispatch/webhooks|aiohttp"), ("wave", r"^(Rounds\.|Timers\.)"), CLOCKS),
}
OF_FRAME = {("out", "proposal"): "frame", ("out", "withdrawn"): "withdrawn", ("out", "result"): "accept", ("out", "booking"): "accept"}
OF_FRAME |= {("in", "ack"): "ack", ("in", "seen"): "ack", ("in", "accept"): "accept"}
OF_VERB = {"match": "match", "tally": "match", "open": "open", "send_wave": "wave", "receipt": "ack", "accept": "accept"}
OF_VERB |= {"deliver": "webhook", "delivered": "webhook"}
FRAMES = re.compile(r'dispatch_gateway_frames_total\{.*?direction="(\w+)".*?type="(\w*)".*?\} ([0-9.e+]+)')

Frames = Counter[tuple[str, str]]  # (in or out, type of message)


def frames(metrics: str) -> Frames:
    """Frames so far of all gateways, from their metrics."""
    found: Frames = Counter()
    for direction, kind, count in FRAMES.findall(metrics):
        found[direction, kind] += int(float(count))
    return found


def busy(stacks: flame.Stacks) -> flame.Stacks:
    """Without threads that wait for work."""
    return Counter({stack: count for stack, count in stacks.items() if not IDLE.search(stack[-1])})


def shares(process: str, stacks: flame.Stacks, counted: Frames) -> dict[str, float]:
    """The part of a process's time in each step; all of it, when anything was seen."""
    found = flame.shares(busy(stacks), PATTERNS[process], LOOP)
    for shared, direction in ((READ, "in"), (WRITTEN, "out")):
        _charge(found, shared, _by_step(counted, direction))
    _charge(found, LOOP, {step: share for step, share in found.items() if step != LOOP})
    return found


def _by_step(counted: Frames, direction: str) -> dict[str, float]:
    """Frames one way, by the step they belong to."""
    found: dict[str, float] = {}
    for (way, kind), count in counted.items():
        if way == direction:
            step = OF_FRAME.get((way, kind), BESIDE)
            found[step] = found.get(step, 0) + count
    return found


def _charge(found: dict[str, float], shared: str, weights: Mapping[str, float]) -> None:
    """Charges what is shared to the steps, as heavy as they are; when there is none, it is no booking's."""
    cost, whole = found.pop(shared, 0.0), sum(weights.values())
    if cost:
        for step, weight in weights.items() if whole else ((BESIDE, 1.0),):
            found[step] = found.get(step, 0.0) + cost * weight / (whole or 1.0)


def store_shares(verbs: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """The part of the store's time in each step. ``verbs``: calls a booking, us a call; what ``match`` takes is a part of ``open``."""
    found: dict[str, float] = {}
    for verb, (calls, us) in verbs.items():
        step = OF_VERB.get(verb, BESIDE)
        found[step] = found.get(step, 0.0) + calls * us
    searched = verbs.get("match", (0.0, 0.0))
    found["open"] = max(0.0, found.get("open", 0.0) - searched[0] * searched[1])
    whole = sum(found.values())
    return {step: cost / whole for step, cost in found.items()} if whole else {}

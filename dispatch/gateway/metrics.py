"""What a gateway counts. Labels are small sets of words: never an id, never a name."""

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from dispatch.messages import CloseCode

LINKS: Final = Gauge("dispatch_gateway_links", "Devices connected now, by encoding.", ["encoding"])
FRAMES: Final = Counter("dispatch_gateway_frames", "Frames by direction (in, out) and type of message.", ["direction", "type"])
CLOSES: Final = Counter("dispatch_gateway_closes", "Links that ended, by close code.", ["code"])
REFUSALS: Final = Counter("dispatch_gateway_refused_upgrades", "Upgrades refused, by HTTP status.", ["status"])
OVER: Final = Counter("dispatch_gateway_over_limit", "What went over a limit: commands, links or upgrades of an address.", ["limit"])
RESUMES: Final = Counter("dispatch_gateway_resumes", "Links that became live, by what they were told: resumed, or why not.", ["result"])
REREADS: Final = Counter("dispatch_gateway_rereads", "Times that every inbox was read again because wake-ups may have been lost.")
RECEIPTS: Final = Histogram(
    "dispatch_gateway_receipt_seconds",
    "From the sending of a proposal to its first receipt by a device.",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 120),
)
ADDRESSES: Final = Counter(
    "dispatch_gateway_push_addresses", "Push addresses that devices named, by service and result: taken, or unfit.", ["service", "result"]
)
STEPS: Final = Histogram(
    "dispatch_gateway_proposal_step_seconds",
    "Steps of a proposal: written (since its creation, to a device that was there), acked (since it was written), seen (since its first "
    "receipt), answered (since it was seen, else received).",
    ["step"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800),
)
LAG: Final = Histogram(
    "dispatch_gateway_loop_lag_seconds",
    "How late the event loop woke up.",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1),
)

_KNOWN_CODES: Final = {int(code) for code in CloseCode} | {1001, 1002, 1005, 1006, 1007, 1011}


def close_label(code: int | None) -> str:
    """A close code as a label: devices may send any number."""
    return str(code) if code in _KNOWN_CODES else "1006" if code is None else "other"

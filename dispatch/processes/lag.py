"""How late the event loop of a process runs what is due: the first sign of work that should have left it, or of too little machine."""

import anyio
from prometheus_client import Histogram

EVERY_S = 0.1
LAG = Histogram(
    "dispatch_loop_lag_seconds",
    "How late the event loop runs what is due.",
    ["process"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)


async def measure(process: str, every_s: float = EVERY_S) -> None:
    """Ask to be woken, and note by how much that was too late. Runs until it is cancelled.

    A call that blocks the loop is seen as the part of it that was left when the alarm was due: each one is seen if it is longer than
    ``every_s``, of shorter ones a share.
    """
    lag = LAG.labels(process)
    while True:
        due = anyio.current_time() + every_s
        await anyio.sleep(every_s)
        lag.observe(max(0.0, anyio.current_time() - due))

"""A simulated city over real sockets: `dispatch demo` shows the engine at work and judges whether it keeps its promises.

It starts the whole engine as a child process, fills Paris with professionals and clients, and speaks with the engine only as anybody could:
HTTP, websockets, webhooks.
"""

import sys
from collections.abc import Iterator

import anyio
from rich.console import Console

from dispatch.demo.options import Options

__all__ = ["Options", "leaves", "main"]


def main(args: Options) -> int:
    """Runs a demo. 0: every promise was looked at and kept; 1: not so; 2: it could not be run."""
    from dispatch.client.bookings import DispatchError
    from dispatch.demo.city import NoCity
    from dispatch.demo.engine import EngineFailed
    from dispatch.demo.run import run
    from dispatch.demo.town import NotReady

    console = Console(soft_wrap=True)
    summary = None
    try:
        summary = anyio.run(run, args, console)
    except* (NoCity, EngineFailed, NotReady, DispatchError) as failed:
        for reason in leaves(failed):
            Console(file=sys.stderr, soft_wrap=True).print(str(reason), style="red", highlight=False, markup=False)
    if summary is None:
        return 2
    if args.json is not None:
        summary.write(args.json)
    summary.show(console)
    return 0 if summary.kept else 1


def leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    """The exceptions in a group of groups."""
    for inner in group.exceptions:
        yield from leaves(inner) if isinstance(inner, BaseExceptionGroup) else (inner,)

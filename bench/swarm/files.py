"""How many files processes may have open: each socket is one."""

import resource

SPARE, ROOM = 500, 2  # files that a process needs beside its sockets; nginx wants room for twice as many


def raise_limit(sockets: int) -> int:
    """Lets every process have as many files open as it may; how many. Raises SystemExit saying what would be right."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = ROOM * sockets + SPARE if most == resource.RLIM_INFINITY else most
    if limit < sockets + SPARE:
        raise SystemExit(
            f"a process may open {most} files here, {sockets} sockets need {sockets + SPARE}: raise `ulimit -Hn`, or ask for fewer"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, most))
    return min(limit, ROOM * sockets + SPARE)

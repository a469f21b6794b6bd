"""How a child process of ours ends: when its parent does, and when it is told to."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def with_parent(number: int, parent: int = 0) -> Callable[[], None] | None:
    """What a child does so that the kernel sends it signal ``number`` when its ``parent`` (0: this process) ends, in whatever way.

    Called between fork and exec, or by the child itself as soon as it can. The kernel watches the *thread* that forked: fork from the
    main thread. Everything is looked up beforehand, as after a fork other threads may have left locks behind.
    None where no kernel does this (macOS): there a kill -9 of the parent leaves the child.
    """
    if sys.platform != "linux":
        return None
    prctl, getppid, leave, expected = ctypes.CDLL(None).prctl, os.getppid, os._exit, parent or os.getpid()

    def ask_for_it() -> None:
        prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
        if getppid() != expected:  # it ended before we could ask
            leave(1)

    return ask_for_it


def end(process: "subprocess.Popen[bytes]", patience_s: float) -> int:
    """End a child: politely, and by force after ``patience_s``. Answers its exit code; harmless when it has ended."""
    process.terminate()
    try:
        return process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()

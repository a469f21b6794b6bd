"""What ties a child process to its supervisor. It travels on the child's command line, as the descriptors it names are inherited."""

import os
import signal
import socket
from dataclasses import dataclass
from typing import Self

from dispatch.store.child import with_parent


@dataclass(frozen=True, slots=True)
class Tether:
    """Process id of the supervisor, and two descriptors.

    ``ready``: the pipe by which the child says that it serves. ``probes``: the listening socket of its ops port, made by the supervisor,
    so that its address is known before the child is there, and outlives it.
    """

    parent: int
    ready: int
    probes: int

    def __str__(self) -> str:
        return f"{self.parent}:{self.ready}:{self.probes}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what ``str`` wrote."""
        parent, ready, probes = (int(part) for part in text.split(":"))
        return cls(parent, ready, probes)

    def hold(self) -> socket.socket:
        """In the child: end with the parent from now on, and take over the socket for probes."""
        if ask := with_parent(signal.SIGTERM, self.parent):
            ask()
        os.set_inheritable(self.ready, False)
        return socket.socket(fileno=self.probes)

    def say_ready(self) -> None:
        """In the child: it serves."""
        os.write(self.ready, b"1")
        os.close(self.ready)

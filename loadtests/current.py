"""The run that this process is part of: what it has seen, and how far it is."""

import os
import time
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from loadtests.ledger import Ledger


@dataclass(slots=True)
class Run:
    """One run in one process. ``resting``: no new bookings, no new answers, so that what is under way can arrive before the judgement."""

    ledger: Ledger = field(default_factory=Ledger)
    resting: bool = False
    worker: int = 0
    numbers: Any = field(default_factory=count)
    _began: float = 0.0
    _cpu: float = 0.0

    def begin(self, worker: int) -> None:
        """The test starts in this process. Other processes have other worker numbers, from 0."""
        self.ledger, self.resting, self.worker, self.numbers = Ledger(), False, worker, count()
        self._began, self._cpu = time.monotonic(), time.process_time()

    def elapsed_s(self) -> float:
        """Seconds since the load began; 0 before."""
        return time.monotonic() - self._began if self._began else 0.0

    def measure_cpu(self) -> None:
        """Writes down what share of a core this process has used since the start."""
        share = (time.process_time() - self._cpu) / max(self.elapsed_s(), 1e-3)
        self.ledger.cpu[f"process {self.worker} (pid {os.getpid()})"] = round(share, 3)


RUN = Run()

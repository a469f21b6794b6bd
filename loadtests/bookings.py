"""The booking service: opens bookings at the rate of the scenario, now and then twice with the same key, and cancels some."""

import time
import uuid
from datetime import UTC, datetime
from random import Random

import gevent
from locust import FastHttpUser, task

from loadtests.current import RUN
from loadtests.market import booking
from loadtests.scenarios import SCENARIOS

TRIES = 4  # of one call, with the same key, when the answer is "later" or none came
LATER = {0, 429, 502, 503, 504}
LONGEST_GAP_S = 5.0  # so that a quiet moment does not make a user sleep through the rush after it


class BookingUser(FastHttpUser):
    """One of several that together open ``--booking-rate`` bookings a second."""

    concurrency = 4

    def on_start(self) -> None:
        self.chance = Random(f"client {RUN.worker} {id(self)} {time.time()}")
        self.root = f"/v1/markets/{self.environment.parsed_options.market}"
        self.key = {"authorization": f"Bearer {self.environment.parsed_options.key}"}
        self.due = time.monotonic()

    def wait_time(self) -> float:
        """Until the next booking is due: exponential gaps at the scenario's rate, shortened by what the last answer took."""
        options = self.environment.parsed_options
        share = SCENARIOS[options.scenario].rate(min(1.0, RUN.elapsed_s() / options.seconds))
        self.due += min(LONGEST_GAP_S, self.chance.expovariate(max(1e-3, options.booking_rate * share / options.booking_users)))
        return max(0.0, self.due - time.monotonic())

    @task
    def book(self) -> None:
        """Opens a booking; in a tenth of cases asks for a match first, in a twentieth repeats the call, in a twentieth cancels later."""
        if RUN.resting:
            return
        created_ms = time.time_ns() // 1_000_000
        body = booking(self.chance, f"lt-{uuid.uuid4().hex[:20]}", created_ms, datetime.now(UTC))
        if self.chance.random() < 0.1:
            self._ask("POST match", "/match", body, key=None)
        key = uuid.uuid4().hex
        answer = self._ask("POST bookings", "/bookings", body, key)
        if answer is None:
            return
        RUN.ledger.opened.append(body["booking_id"])
        if self.chance.random() < 0.05 and self._ask("POST bookings (same key)", "/bookings", body, key) != answer:
            RUN.ledger.bad_repeats.append(body["booking_id"])
        if self.chance.random() < 0.05:
            gevent.spawn_later(self.chance.uniform(1, 10), self._cancel, body["booking_id"])

    def _cancel(self, booking_id: str) -> None:
        if not RUN.resting:
            self._ask("POST cancel", f"/bookings/{booking_id}/cancel", {"by": "client", "reason": "load test"}, uuid.uuid4().hex)

    def _ask(self, name: str, path: str, body: dict[str, object], key: str | None) -> bytes | None:
        """One call, repeated with the same key while the answer is "later"; the answer's bytes, or None when it failed."""
        headers = self.key if key is None else {**self.key, "idempotency-key": key}
        for attempt in range(TRIES):
            with self.client.post(self.root + path, json=body, headers=headers, name=name, catch_response=True) as response:
                if response.status_code < 300:
                    return bytes(response.content)
                if response.status_code not in LATER and b"in_progress" not in (response.content or b""):
                    response.failure(f"{response.status_code} {(response.text or '')[:200]}")
                    return None
                response.failure(f"later: {response.status_code}")
            gevent.sleep(self.chance.uniform(0, 0.2 * 2**attempt))
        return None

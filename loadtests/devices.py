"""A provider's device: a real websocket, that shows what comes, answers as people do, and loses its connection now and then.

Its own rows in the report, all in ms: ``push created->received`` (from the booking service's call to the first wave's devices; both clocks
are the generator's), ``accept->result``, ``accept->withdrawn`` (from the winner's accept to the moment another holder is told; only where
both live in one process), ``connect->live``, ``reconnect->live``, ``storm->live`` (the same when everybody is cut off at once), and
``online->waiting booking`` (from the first connection to a booking that was there before it: at once when a seat of its wave is free, else
with a later wave).
"""

import contextlib
import time
from random import Random
from typing import Any, ClassVar

import gevent
from gevent.pool import Group
from locust import FastHttpUser, task

from dispatch.client import BlockingDeviceClient, Proposal, Result, Withdrawn
from dispatch.client.protocol import pause_s
from loadtests.answers import draw
from loadtests.current import RUN
from loadtests.market import PER_WORKER, created_ms, device_url, provider_id
from loadtests.scenarios import SCENARIOS, Trouble

LOOK_S = 1.0  # how often a silent device looks around
FIRST_WAVE = 1
OLD_SCREEN = 0.25  # share of answers given from a notification, whether or not the proposal is still there


def _at_once(attempt: int, chance: float, reason: str) -> float:
    """No pause: how fast the engine is, not how polite a device."""
    return 0.0


class Phone(BlockingDeviceClient):
    """A device whose app can hang."""

    def hang(self, seconds: float) -> None:
        """Nothing is taken in for so long: what comes fills the buffers between here and the gateway."""
        with self._changed:
            gevent.sleep(seconds)


class DeviceUser(FastHttpUser):
    """One provider's device; there are always ``--devices`` of them."""

    accepted_at: ClassVar[dict[str, float]] = {}  # booking -> when the winner's accept was sent, in this process

    def on_start(self) -> None:
        self.number = next(RUN.numbers)
        self.provider = provider_id(RUN.worker, self.number)
        self.chance = Random(f"device {self.provider}")
        self.answers = Group()
        self.client_of: dict[str, Proposal] = {}
        self.dropped_at: float | None = None
        self.online_ms = 0.0
        self.back = "reconnect->live"
        self.phone: Phone | None = None

    def on_stop(self) -> None:
        self.answers.kill(block=False)
        if self.phone is not None:
            self.phone.close()

    @task
    def carry(self) -> None:
        """Connects when the scenario says so, and stays."""
        options = self.environment.parsed_options
        share, scenario = self.number % PER_WORKER / max(1, options.devices), SCENARIOS[options.scenario]
        gevent.sleep(max(0.0, scenario.connect_s(share, options.seconds) - RUN.elapsed_s()))
        pause = pause_s if scenario.patient else _at_once
        self.phone = Phone(
            options.device_url or device_url(self.host), self._token, device=f"{self.provider}-d", app="dispatch-loadtest",
            encoding="json" if self.number % 2 else "msgpack", on_reconnect=self._came_back, pause=pause,
        )  # fmt: skip
        began = time.perf_counter()
        with self.phone:
            self.phone.live(60)
            self._row("connect->live", began)
            self.online_ms = time.time_ns() / 1e6
            self._online(self.phone)
            for trouble in scenario.troubles(share, options.seconds, self.chance):
                self.answers.add(gevent.spawn_later(max(0.0, trouble.at_s - RUN.elapsed_s()), self._suffer, self.phone, trouble))
            self._listen(self.phone, options)

    def _listen(self, phone: Phone, options: Any) -> None:
        next_drop = time.monotonic() + self._calm_s(options)
        while True:
            for message in phone.messages(LOOK_S):
                self._take(phone, message)
            if time.monotonic() > next_drop and not RUN.resting:
                next_drop = time.monotonic() + self._calm_s(options)
                self._cut(phone, "reconnect->live")

    def _suffer(self, phone: Phone, trouble: Trouble) -> None:
        """What the scenario has in store for this device."""
        if RUN.resting:
            return
        RUN.ledger.troubles[trouble.kind] = RUN.ledger.troubles.get(trouble.kind, 0) + 1
        if trouble.kind == "hang":
            phone.hang(trouble.lasts_s)
        else:
            self._cut(phone, f"{'storm' if trouble.kind == 'storm' else 'reconnect'}->live")

    def _cut(self, phone: Phone, back: str) -> None:
        """The network is gone. A cut before he was back counts from the first one on."""
        if self.dropped_at is None:
            self.dropped_at, self.back = time.perf_counter(), back
        phone.drop()

    def _take(self, phone: BlockingDeviceClient, message: object) -> None:
        match message:
            case Proposal():
                self._received(phone, message)
            case Withdrawn(reason="taken", proposal=proposal):
                self._told_taken(proposal)
            case Result(outcome="won", booking=booking, id=request) if booking is not None:
                RUN.ledger.won.append((booking.booking_id, self.provider, request))

    def _received(self, phone: BlockingDeviceClient, proposal: Proposal) -> None:
        RUN.ledger.received.append((self.provider, proposal.proposal, proposal.version))
        first = proposal.proposal not in self.client_of
        self.client_of[proposal.proposal] = proposal
        created = created_ms(proposal.booking.note)
        if first and created is not None and self.dropped_at is None:
            self._arrival_row(proposal, created)
        if first and not RUN.resting:
            answer, after_s = draw(self.chance, self.environment.parsed_options.haste)
            self.answers.add(gevent.spawn_later(after_s, self._answer, phone, proposal, answer))

    def _arrival_row(self, proposal: Proposal, created: int) -> None:
        now = time.time_ns() / 1e6
        if created < self.online_ms:
            self._fire("online->waiting booking", now - self.online_ms)
        elif proposal.wave == FIRST_WAVE:
            self._fire("push created->received", max(0.0, now - created))

    def _answer(self, phone: BlockingDeviceClient, proposal: Proposal, answer: str) -> None:
        gone = proposal.proposal not in phone.open and self.chance.random() > OLD_SCREEN
        if RUN.resting or answer == "never" or gone:
            return
        began = time.perf_counter()
        try:
            if answer == "refuse":
                phone.refuse(proposal.proposal, proposal.version)
                self._row("refuse->result", began)
                return
            result = phone.accept(proposal.proposal, proposal.version)
        except Exception as failed:
            self._row(f"{answer}->result", began, failed)
            return
        self._row("accept->result", began)
        if result.outcome == "won":
            self.accepted_at[proposal.booking.booking_id] = began

    def _told_taken(self, proposal: str) -> None:
        """Another holder learns that it is gone. The winner's result may be on its way still: look again a moment later."""
        known, now = self.client_of.get(proposal), time.perf_counter()
        if known is not None:
            gevent.spawn_later(0.5, self._taken_row, known.booking.booking_id, now)

    def _taken_row(self, booking_id: str, now: float) -> None:
        began = self.accepted_at.get(booking_id)
        if began is not None:
            self._fire("accept->withdrawn", (now - began) * 1000)

    def _came_back(self) -> None:
        if self.dropped_at is not None:
            self._row(self.back, self.dropped_at)
            self.dropped_at = None

    def _online(self, phone: BlockingDeviceClient) -> None:
        RUN.ledger.offset_ms = phone.conversation.offset_ms
        RUN.ledger.online[self.provider] = phone.conversation.server_ms(time.time_ns() // 1_000_000)

    def _token(self) -> str:
        options = self.environment.parsed_options
        body = {"provider_id": self.provider, "device_id": f"{self.provider}-d", "ttl_s": 3600}
        path, headers = f"/v1/markets/{options.market}/device-tokens", {"authorization": f"Bearer {options.key}"}
        return str(self.client.post(path, json=body, headers=headers, name="POST device-tokens").json()["token"])

    def _calm_s(self, options: Any) -> float:
        return self.chance.expovariate(options.drops_per_minute / 60) if options.drops_per_minute > 0 else float("inf")

    def _row(self, name: str, began: float, failed: Exception | None = None) -> None:
        self._fire(name, (time.perf_counter() - began) * 1000, failed)

    def _fire(self, name: str, took_ms: float, failed: Exception | None = None) -> None:
        with contextlib.suppress(ReferenceError):
            self.environment.events.request.fire(
                request_type="DEVICE", name=name, response_time=took_ms, response_length=0, exception=failed, context={}
            )

"""What everybody saw of each booking, read off the wire: devices, the receiver of webhooks, and whoever asks over HTTP."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from dispatch.client import BookingClient, DeviceClient
from dispatch.client.bookings import Booking, Event
from dispatch.messages import Booking as Held
from dispatch.messages import CounterState, Notice, Proposal, ToDevice, Withdrawn
from tests.races.orders import View, settled
from tests.races.pairs import PHONE, TABLET
from tests.races.rules import ECHO, PEOPLE
from tests.webhooks.receiver import Receiver

HOUR_S = 3_600
SILENT = ("Received", "Seen", "Pushed")  # events of the ways, not of what is decided


class Person:
    """A provider with two devices, and all that they were told, in the order of his stream. ``strange``: what cannot be."""

    def __init__(self, name: str, bookings: dict[str, str]) -> None:
        self.name, self._bookings = name, bookings  # number -> id, for everybody
        self.devices: dict[str, DeviceClient] = {}
        self.proposals: dict[str, Proposal] = {}  # the first of each booking
        self.offers: dict[str, str] = {}  # his counteroffer for each booking
        self.strange: list[str] = []
        self._heard: dict[int, tuple[str, str]] = {}
        self._said: dict[str, dict[int, str]] = defaultdict(dict)

    def hear(self, messages: Sequence[ToDevice]) -> None:
        """A device of his was told something. What is told again, or to the other device, must be the same."""
        for message in messages:
            known = self._word(message)
            if known is None:
                continue
            seq, booking, word = known
            if self._heard.setdefault(seq, (booking, word)) != (booking, word):
                self.strange.append(f"{self.name} was told {self._heard[seq]} and {(booking, word)} as message {seq}")
            self._said[booking][seq] = word

    def told(self, booking: str) -> tuple[str, ...]:
        """What he was told of a booking, in order."""
        return tuple(word for _, word in sorted(self._said[booking].items()) if word != ECHO)

    def _word(self, message: ToDevice) -> tuple[int, str, str] | None:
        match message:
            case Proposal():
                booking = message.booking.booking_id
                self.proposals.setdefault(booking, message)
                self._bookings[message.proposal.split(".")[0]] = booking
                return message.seq, booking, f"proposal {message.proposal.split('.')[1]}"
            case Withdrawn():
                return message.seq, self._of(message.proposal), f"withdrawn {message.reason}"
            case CounterState():
                booking = self._of(message.proposal)
                self.offers[booking] = str(message.counteroffer)
                return message.seq, booking, f"counter {message.state}"
            case Held():
                return message.seq, message.booking_id, f"booking {message.state}"
            case Notice():
                return message.seq, str(message.booking_id), f"notice {message.kind}"
        return None

    def _of(self, proposal: str) -> str:
        return self._bookings.get(proposal.split(".")[0], f"the booking of {proposal}")


class Device(DeviceClient):
    """One of the two."""

    def __init__(self, url: str, client: BookingClient, person: Person, device: str, encoding: str) -> None:
        async def token() -> str:
            return (await client.device_token(person.name, device, 36_000)).token

        super().__init__(url, token, device=device, encoding=encoding, pause=lambda *_: 0.1)
        self._person = person
        person.devices[device] = self

    def _hand_out(self, messages: tuple[ToDevice, ...]) -> None:
        self._person.hear(messages)
        super()._hand_out(messages)


class Hooks:
    """What the booking service was told by webhook, each event once, by booking and in the order of their coming."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver, self._read = receiver, 0
        self._ids: set[str] = set()
        self._said: dict[str, list[str]] = defaultdict(list)

    def told(self, booking: str) -> tuple[str, ...]:
        """Of a booking."""
        fresh, self._read = self._receiver.requests[self._read :], len(self._receiver.requests)
        for headers, body in fresh:
            if headers["webhook-id"] not in self._ids:
                self._ids.add(headers["webhook-id"])
                event = json.loads(body)
                data = event["data"]
                state = f" {data['state']}" if event["type"] == "booking.counteroffer_closed" else ""
                self._said[data["booking_id"]].append(event["type"] + state)
        return tuple(self._said[booking])


def seen(
    found: Booking, timeline: Sequence[Event], parts: Mapping[str, Person], answers: tuple[tuple[str, ...], ...], hooks: Hooks
) -> View:
    """What everybody knows now of a booking. ``parts``: who plays A, B and C."""
    part = {person.name: name for name, person in parts.items()}
    return View(
        answers=answers,
        told=tuple(parts[name].told(found.booking_id) for name in PEOPLE),
        hooks=hooks.told(found.booking_id),
        state=found.state,
        holder=part.get(found.provider_id, found.provider_id) if found.provider_id else None,
        owner=found.taken_over["by"] if found.taken_over else None,
        proposals=tuple(sorted((part.get(p.provider_id, p.provider_id), p.state, p.reason) for p in found.proposals)),
        offers=tuple(sorted((part.get(one.provider_id, one.provider_id), one.state) for one in found.counteroffers)),
        story=settled([_line(event, part, timeline[0].at) for event in timeline if event.type not in SILENT]),
    )


def _line(event: Event, part: Mapping[str, str], opened: datetime) -> str:
    """An event as the rules write it down."""
    said = event.fields
    who = part.get(str(said.get("provider_id")), "")
    match event.type:
        case "WaveSent":
            words = [said["kind"], *sorted(part.get(one, one) for one in said["asked"])]
        case "Accepted":
            words = [who, said["cause"]]
        case "AcceptedTooLate":
            words = [who, said["outcome"]]
        case "Withdrawn":
            words = [who, said["reason"]]
        case "CounterofferClosed":
            words = [who, said["state"]]
        case "Cancelled":
            words = [said["by"], who]
        case "Moved":
            words = [str(hours_ahead(said["windows"], opened)), who]
        case "Assigned":
            words = [who, part.get(str(said.get("instead")), "")]
        case _:
            words = [who]
    return " ".join([event.type, *(word for word in words if word)])


def hours_ahead(windows: Sequence[Mapping[str, Any]], opened: datetime) -> int:
    """How far ahead of its opening a booking is, in whole hours."""
    return round((datetime.fromisoformat(windows[0]["start"]) - opened).total_seconds() / HOUR_S)


__all__ = ["PHONE", "TABLET", "Device", "Hooks", "Person", "seen"]

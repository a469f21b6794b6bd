"""Days of calls laid over each other: each call at its own hour of the day, all on one day, until enough units are busy.

The sample of calls has some 23 rows a day, which would leave nearly every unit idle. The last days of the file are taken, since their units
worked together; a unit is there when one of these days' calls had it. What a call becomes as a booking is written here too: its kind is the
service, its place the place, its priority the lead time, and the time for which its unit was out is the length of the visit.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from bench.calls import DAY_MIN, Call

# Lead time in hours by priority: the classes of R12 that a search of some hours can meet. 3 and E are answered at once (89 % of all calls).
# The file does not say what priorities mean: that 3 is the most urgent is read off the delays and from the department's own habit.
LEADS_H = {"3": 3.0, "E": 3.0, "2": 8.0, "1": 30.0}
OTHER_LEAD_H = 30.0
CLASSES = {3.0: "last_minute", 8.0: "same_day", 30.0: "advance"}
MARGIN = 1.6  # more is planned than asked for: not every call is filled, and the first visits begin hours after the first call


@dataclass(frozen=True, slots=True)
class Overlay:
    """Calls of ``days`` on one day, by their hour; ``history``: the calls of a year, from which zones and catalogues are read."""

    days: Sequence[date]
    calls: Sequence[Call]
    history: Sequence[Call]

    @property
    def units(self) -> frozenset[str]:
        """Those who worked on these days."""
        return frozenset(call.row.unit for call in self.calls)

    def share_out(self, begin_min: float, hours: float) -> float:
        """Which share of the units the calls of these hours would keep out, on average, if each unit took its own."""
        out = sum(call.out_min for call in self.calls if (call.at_min - begin_min) % DAY_MIN < hours * 60)
        return out / (len(self.units) * hours * 60)


def overlay(calls: Iterable[Call], days: int) -> Overlay:
    """The last ``days`` days of the file on one day."""
    known = list(calls)
    dates = sorted({call.row.day for call in known})[-days:]
    first = min(dates[0], dates[-1] - timedelta(days=365))
    history = [call for call in known if call.row.day >= first]
    laid = sorted((call for call in history if call.row.day >= dates[0]), key=lambda call: call.at_min)
    return Overlay(dates, laid, history)


def enough(calls: Iterable[Call], share: float, begin_min: float, hours: float) -> Overlay:
    """The fewest days that keep ``share`` of the units out, with a margin; all days when they do not suffice."""
    known = list(calls)
    least, most = 1, len({call.row.day for call in known})
    while least < most:
        middle = (least + most) // 2
        if overlay(known, middle).share_out(begin_min, hours) >= share * MARGIN:
            most = middle
        else:
            least = middle + 1
    return overlay(known, least)


def lead_h(priority: str) -> float:
    """How long before the visit a call of this priority is booked."""
    return LEADS_H.get(priority, OTHER_LEAD_H)


def urgency_of(priority: str) -> str:
    """The class that this lead time falls into."""
    return CLASSES[lead_h(priority)]


def booking_id(call: Call, number: int) -> str:
    """The id of a call's booking, which tells its class to the crews."""
    return f"{urgency_of(call.row.priority)}-{number:06d}"


def urgency_in(booking_id: str) -> str:
    """The class of a booking by its id."""
    return booking_id.rpartition("-")[0]


def from_hour(calls: Sequence[Call], begin_min: float, hours: float) -> Iterator[tuple[float, Call]]:
    """Calls of some hours from a minute of the day on, each with the minutes until it comes in; a longer run begins the same day anew."""
    ordered = sorted((((call.at_min - begin_min) % DAY_MIN, call) for call in calls), key=lambda pair: pair[0])
    round_ = 0
    while ordered:
        for after, call in ordered:
            if after + round_ * DAY_MIN >= hours * 60:
                return
            yield after + round_ * DAY_MIN, call
        round_ += 1

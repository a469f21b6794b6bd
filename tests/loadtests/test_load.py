"""What the load tests send: answers, scenarios and the market; each a table."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from statistics import mean, median

import pytest

from dispatch.model import BookingRequest, Catalogue, MarketSettings, ProviderLine
from loadtests import market
from loadtests.answers import draw
from loadtests.scenarios import SCENARIOS, Trouble

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


def test_answers_come_in_the_shares_and_at_the_pace_of_the_real_requests() -> None:
    chance = Random(1)
    answers = [draw(chance, 4_680) for _ in range(20_000)]
    shares = {name: number / 200 for name, number in Counter(name for name, _ in answers).items()}
    assert shares == pytest.approx({"accept": 44, "refuse": 26.2, "never": 29.8}, abs=1)
    assert median(after for name, after in answers if name == "accept") == pytest.approx(2.0, rel=0.05)
    assert median(after for name, after in answers if name == "refuse") == pytest.approx(2.0 * 426 / 156, rel=0.05)


@pytest.mark.parametrize(("name", "at", "rate"), [("steady", 0.0, 1.0), ("rush", 0.1, 0.2), ("rush", 0.5, 1.0), ("rush", 0.9, 0.2)])
def test_a_scenario_moves_the_rate(name: str, at: float, rate: float) -> None:
    assert SCENARIOS[name].rate(at) == rate


def test_a_day_has_a_quiet_night_and_two_humps() -> None:
    rate = SCENARIOS["day"].rate
    assert rate(3 / 24) < 0.1 < rate(15 / 24) < 0.9 < rate(11 / 24) <= 1.0
    assert rate(18.5 / 24) > 0.9


def test_the_herd_comes_online_within_two_seconds_after_bookings_have_waited() -> None:
    moments = [SCENARIOS["herd"].connect_s(device / 500, 60) for device in range(500)]
    assert (min(moments), max(moments) - min(moments)) == (24.0, pytest.approx(2.0, abs=0.01))


def test_what_is_set_up_is_what_the_engine_reads() -> None:
    import msgspec

    msgspec.convert(market.SETTINGS, MarketSettings)
    listed = msgspec.convert(market.catalogue(), Catalogue)
    lines = [msgspec.json.decode(line, type=ProviderLine) for line in market.providers(3, 50)]
    assert {code for line in lines for code in line.catalogue} == {service.code for service in listed.services}
    assert lines[7].provider_id == market.provider_id(3, 7) != market.provider_id(2, 7)


def test_bookings_can_be_booked_and_carry_the_moment_they_were_created() -> None:
    import msgspec

    chance = Random(2)
    leads = []
    for number in range(200):
        body = market.booking(chance, f"b-{number}", 1_234, NOW)
        booking = msgspec.json.decode(json.dumps(body), type=BookingRequest)
        leads.append((booking.windows[0].start - NOW) / timedelta(hours=1))
        assert market.created_ms(booking.note) == 1_234
    assert min(leads) >= 2
    assert mean(lead < 6 for lead in leads) == pytest.approx(0.7, abs=0.1)


@pytest.mark.parametrize(("note", "at"), [("created=17", 17), ("", None), ("created=x", None), ("please ring", None)])
def test_notes_of_others_say_nothing(note: str, at: int | None) -> None:
    assert market.created_ms(note) == at


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("http://127.0.0.1:8080", "ws://127.0.0.1:8081/v1/device"),
        ("https://engine.example:443", "wss://engine.example:444/v1/device"),
    ],
)
def test_devices_connect_to_the_port_above_unless_told_otherwise(host: str, url: str) -> None:
    assert market.device_url(host) == url


def troubles(name: str, device: float, run_s: float = 60) -> list[Trouble]:
    return list(SCENARIOS[name].troubles(device, run_s, Random(f"{name} {device}")))


def test_a_storm_cuts_everybody_off_in_one_moment_and_lets_them_come_back_as_the_protocol_says() -> None:
    assert {trouble for device in range(100) for trouble in troubles("storm", device / 100)} == {Trouble(24.0, "storm")}
    assert [name for name, scenario in SCENARIOS.items() if scenario.patient] == ["storm"]


def test_one_in_a_hundred_stalls_for_a_while() -> None:
    stalled = [troubles("stalled", device / 1_000) for device in range(1_000)]
    assert Counter(map(len, stalled)) == {1: 10, 0: 990}
    assert stalled[0] == [Trouble(18.0, "hang", 20.0)]


def test_a_third_of_the_devices_flaps_in_bursts_of_three() -> None:
    seen = [troubles("flapping", device / 300, 120) for device in range(300)]
    assert 80 < sum(map(bool, seen)) <= 100
    assert not any(seen[101:])
    for some in filter(None, seen):
        assert {trouble.kind for trouble in some} == {"cut"}
        assert len(some) % 3 == 0
        gaps = [some[n + 1].at_s - some[n].at_s for n in range(len(some) - 1) if n % 3 != 2]
        assert all(0.3 <= gap <= 2.0 for gap in gaps)


@pytest.mark.parametrize("name", ["steady", "day", "rush", "herd"])
def test_the_other_scenarios_leave_connections_alone(name: str) -> None:
    assert troubles(name, 0.0) == []

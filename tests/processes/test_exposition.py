"""Pages of metrics become one page that Prometheus' own parser reads."""

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from dispatch.processes.exposition import merge


def page(count: int) -> str:
    registry = CollectorRegistry()
    Counter("frames", "Frames.", ["type"], registry=registry).labels('odd "}{ \\ label, process="x').inc(count)
    Gauge("process_memory", "Memory.", registry=registry).set(count)
    Histogram("lag", "Lag.", ["process"], registry=registry).labels(f"its own {count}").observe(count)
    return generate_latest(registry).decode()


def samples(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    families = list(text_string_to_metric_families(text))
    assert len({family.name for family in families}) == len(families), "a metric is told twice"
    found = [(sample.name, tuple(sorted(sample.labels.items())), sample.value) for family in families for sample in family.samples]
    assert len({each[:2] for each in found}) == len(found), "a sample is told twice"
    return {(name, labels): value for name, labels, value in found}


def test_no_sample_is_lost_and_each_tells_whose_it_is() -> None:
    merged = samples(merge("api", page(1), {"gateway": page(2), "worker": page(3)}))
    odd = ("type", 'odd "}{ \\ label, process="x')
    assert merged["frames_total", (odd,)] == 1
    assert merged["frames_total", (("process", "gateway"), odd)] == 2
    assert merged["frames_total", (("process", "worker"), odd)] == 3
    assert [merged["process_memory", (("process", name),)] for name in ("api", "gateway", "worker")] == [1, 2, 3]


def test_a_label_process_that_is_there_already_stays() -> None:
    merged = merge("api", "", {"gateway": 'lag{process="its own",le="1"} 1\n'})
    assert 'lag{process="its own",le="1"} 1' in merged


@pytest.mark.parametrize(("told", "up"), [("", 1), ("x 1\n", 1), (None, 0)])
def test_whether_a_peer_could_be_asked_is_told(told: str | None, up: int) -> None:
    assert samples(merge("api", "", {"worker": told}))["dispatch_peer_up", (("process", "worker"),)] == up


def test_our_own_page_stays_as_it_is() -> None:
    own = '# HELP bookings Bookings.\n# TYPE bookings gauge\nbookings{market="paris",state="searching"} 3.0\n'
    assert merge("api", own, {}).startswith(own)


def test_what_a_peer_tells_of_a_known_metric_stands_with_it() -> None:
    own = "# HELP a A.\n# TYPE a counter\na 1\n# HELP b B.\n# TYPE b counter\nb 1\n"
    lines = merge("api", own, {"worker": own}).splitlines()
    assert lines[:4] == ["# HELP a A.", "# TYPE a counter", "a 1", 'a{process="worker"} 1']

"""Everything counted, in Prometheus' text format: this process, and the gauges of every market.

Gauges of a market come from the store, where the verbs keep them in the same step as what they count (P12): `count.waves` becomes
`dispatch_waves_total{market}`, `bookings.searching` becomes `dispatch_bookings{market,state="searching"}`.
"""

from collections.abc import Iterable, Iterator

from prometheus_client import CONTENT_TYPE_LATEST as MEDIA
from prometheus_client import Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from dispatch.api.call import Engine
from dispatch.errors import Unavailable

__all__ = ["MEDIA", "count_request", "exposition"]

REQUESTS = Counter("dispatch_http_requests", "Requests, by route and status.", ("method", "route", "status"))
SECONDS = Histogram(
    "dispatch_http_request_seconds",
    "Time to answer, by route.",
    ("route",),
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """One request was answered."""
    REQUESTS.labels(method, route, status).inc()
    SECONDS.labels(route).observe(seconds)


async def exposition(engine: Engine) -> bytes:
    """The whole text. When the store is down its part is left out, and `dispatch_store_up` says so."""
    families, up = Families(), GaugeMetricFamily("dispatch_store_up", "Whether the store answers.")
    try:
        for market in await engine.store.markets.names():
            families.add(of_market(market, await engine.store.gauges.read(market)))
        up.add_metric((), 1)
    except Unavailable:
        up.add_metric((), 0)
    families.add((up,))
    return generate_latest() + generate_latest(families)


class Families:
    """Metric families merged by name, as the text format wants each name once."""

    def __init__(self) -> None:
        self._by_name: dict[str, Metric] = {}

    def add(self, families: Iterable[Metric]) -> None:
        """Adds families, or their samples to the family of that name."""
        for family in families:
            known = self._by_name.setdefault(family.name, family)
            if known is not family:
                known.samples.extend(family.samples)

    def collect(self) -> Iterator[Metric]:
        """All of them, by name."""
        return iter([self._by_name[name] for name in sorted(self._by_name)])


def of_market(market: str, gauges: dict[str, int]) -> Iterator[Metric]:
    """The gauges of one market as families."""
    for name, value in gauges.items():
        group, _, what = name.partition(".")
        if group in ("count", "sum"):
            counter = CounterMetricFamily(f"dispatch_{_word(what)}", f"{what} ({group}).", labels=("market",))
            counter.add_metric((market,), value)
            yield counter
        else:
            gauge = GaugeMetricFamily(f"dispatch_{_word(group)}", f"{group}, by state.", labels=("market", "state"))
            gauge.add_metric((market, what), value)
            yield gauge


def _word(name: str) -> str:
    return name.replace(".", "_").replace("-", "_")

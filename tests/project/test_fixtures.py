"""The fixtures of conftest.py do what they promise."""

from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis

from dispatch.store import Store
from tests.conftest import leaked


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        ({b"{m-1}:market", b"{m-1}:p:1"}, []),
        ({b"dispatch:markets", b"dispatch:keys"}, []),
        ({b"{m-2}:market"}, [b"{m-2}:market"]),
        ({b"market"}, [b"market"]),
        ({b"{m-1}:~net"}, [b"{m-1}:~net"]),
    ],
)
def test_a_key_outside_the_market_and_a_scratch_key_are_leaks(made: set[bytes], expected: list[bytes]) -> None:
    assert leaked(made, ["m-1"]) == expected


def test_each_test_has_a_market_of_its_own(fresh_market: Callable[[], str], redis_url: str) -> None:
    first, second = fresh_market(), fresh_market()
    assert first != second
    with Redis.from_url(redis_url) as client:
        client.set(f"{{{first}}}:market", "x")


def test_the_folder_for_sockets_has_a_short_name(short_dir: Path) -> None:
    assert len(str(short_dir / "valkey.sock")) < 100


async def test_the_store_tells_its_time(store: Store, market: str) -> None:
    assert await store.now() > 0
    assert await store.markets.get(market) is None

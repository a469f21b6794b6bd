"""The page for receivers checks signatures as they are made."""

import re
from pathlib import Path
from typing import Any

import pytest

from dispatch.webhooks.signing import sign

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "receive-webhooks.md"
SECRET, BODY = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", b'{"type":"booking.accepted"}'


@pytest.fixture
def is_ours() -> Any:
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found
    written: dict[str, Any] = {}
    exec(found.group(1), written)
    return written["is_ours"]


def test_what_we_sign_is_ours(is_ours: Any) -> None:
    assert is_ours(SECRET, sign(SECRET, "evt_1", 1_800_000_000, BODY), BODY)


@pytest.mark.parametrize("changed", [{"webhook-id": "evt_2"}, {"webhook-timestamp": "1800000001"}, {"webhook-signature": "v1,AAAA"}])
def test_nothing_else_is(is_ours: Any, changed: dict[str, str]) -> None:
    assert not is_ours(SECRET, sign(SECRET, "evt_1", 1_800_000_000, BODY) | changed, BODY)
    assert not is_ours(SECRET, sign(SECRET, "evt_1", 1_800_000_000, BODY), BODY + b" ")

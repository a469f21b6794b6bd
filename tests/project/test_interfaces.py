"""The page beside the protocol names what there is: calls, messages, settings, webhooks, events."""

import re

from dispatch import events
from dispatch.api.table import CALLS
from dispatch.messages import ToDevice, ToServer
from dispatch.model import MarketSettings
from tests.project import interfaces
from tests.project.tree import files


def written() -> str:
    return interfaces.PAGE.read_text(encoding="utf-8")


def part(heading: str) -> str:
    """What stands under a heading of the second rank."""
    return written().split(f"\n## {heading}\n")[1].split("\n## ")[0]


def test_the_lists_are_as_the_tables_of_the_code_are() -> None:
    assert written() == interfaces.page(written()), "write it again: make rules"


def test_every_call_and_every_setting_is_a_row() -> None:
    assert len(re.findall(r"^\| `[A-Z]+ ", part("Every call"), re.MULTILINE)) == len(CALLS)
    assert set(re.findall(r"^\| `(\w+)` \| `", part("Every setting of a market"), re.MULTILINE)) == set(MarketSettings.__struct_fields__)


def test_every_webhook_is_a_row() -> None:
    lua = "".join(path.read_text(encoding="utf-8") for path in files() if path.suffix == ".lua")
    assert set(re.findall(r"^\| `([a-z_.]+)`", part("Webhooks"), re.MULTILINE)) == set(
        re.findall(r"'((?:booking|proposal)\.[a-z_]+)'", lua)
    )


def test_events_that_are_named_are_there() -> None:
    named = re.findall(r"`([A-Z]\w+)`", part("Events of a timeline"))
    assert [name for name in named if not hasattr(events, name)] == []


def test_every_message_is_a_row() -> None:
    tags = {kind.__struct_config__.tag for kind in (*ToServer.__args__, *ToDevice.__args__)}
    assert set(re.findall(r"^\| (?:both|C>S|S>C) \| `(\w+)`", part("Every message"), re.MULTILINE)) == tags

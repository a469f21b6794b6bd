"""The picture of coverage is well formed, whatever the names in it, and bounded (R9)."""

from typing import Any
from xml.etree import ElementTree

import pytest

from dispatch.api.coverage_picture import MANY, NOBODY, ROWS, SHORT, drawn

HOURS = [f"2026-11-24T{hour:02}:00:00.000+01:00" for hour in range(8, 12)]
SVG = "{http://www.w3.org/2000/svg}"


def report(services: dict[str, list[list[int]]], zones: list[str]) -> dict[str, Any]:
    told = [
        {"service": name, "most": max((n for row in rows for n in row), default=0), "short": 1, "counts": rows}
        for name, rows in services.items()
    ]
    return {
        "threshold": 3, "hours": HOURS, "services": told, "below_threshold": list(services),
        "zones": [{"zone": f"z{index}", "name": name} for index, name in enumerate(zones)],
    }  # fmt: skip


def colours(picture: str) -> list[str]:
    """Of the cells, row by row."""
    return [one.attrib["fill"] for one in ElementTree.fromstring(picture).iter(f"{SVG}rect") if len(one)]


def test_one_service_is_drawn_zone_by_zone_r9() -> None:
    picture = drawn(report({"cut": [[0, 1, 3, 9], [9, 9, 9, 9]]}, ["Lyon", ""]))
    assert colours(picture) == [NOBODY, SHORT, "#86efac", MANY] + [MANY] * 4
    assert ["Lyon" in picture, ">z1</text>" in picture, "Lyon, 2026-11-24T09:00:00.000+01:00: 1" in picture] == [True] * 3


def test_several_services_are_drawn_with_their_worst_zone_the_worst_first_r9() -> None:
    picture = drawn(report({"cut": [[9, 9, 9, 9], [9, 2, 9, 9]], "wash": [[0] * 4, [0] * 4]}, ["Lyon", "Nice"]))
    assert colours(picture) == [NOBODY] * 4 + [MANY, SHORT, MANY, MANY]
    assert "cut, 2026-11-24T09:00:00.000+01:00: 2 in Nice" in picture


@pytest.mark.parametrize("name", ['<script>alert("x")</script>', "L'Haÿ & Co", "]]>", "x" * 500])
def test_names_are_never_markup_r9(name: str) -> None:
    root = ElementTree.fromstring(drawn(report({"cut": [[1] * 4]}, [name])))
    assert {one.tag for one in root.iter()} == {f"{SVG}{tag}" for tag in ("svg", "title", "rect", "text")}


def test_nothing_to_show_is_said_r9() -> None:
    assert "nothing to show" in drawn(report({"cut": []}, []))


def test_a_picture_is_bounded_r9() -> None:
    picture = drawn(report({"cut": [[1] * 4] * 1_000}, [f"zone {index}" for index in range(1_000)]))
    assert len(colours(picture)) == ROWS * 4

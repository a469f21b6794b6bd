"""Importing providers: a stream of lines, each judged alone."""

import json
from collections.abc import AsyncIterator

import anyio
import pytest

from dispatch.api import bodies
from tests.api.town import PROVIDER, Town


def line(number: int, **changes: object) -> bytes:
    return json.dumps({"provider_id": f"n-{number}", **PROVIDER, **changes}).encode()


async def imported(town: Town, body: bytes, key: str | None = None) -> dict[str, object]:
    answer = await town.call("POST", "/providers/import", body, key=key)
    assert answer.status_code == 200
    return answer.json()


async def test_good_lines_go_in_and_bad_ones_are_named(town: Town) -> None:
    body = b"\n".join(
        [
            line(1),
            b"{",
            line(3, colour="red"),
            line(4, hours="whenever"),
            line(5, status="gone"),
            b"",
            line(7, catalogue=["tattoo"]),
            line(8, zone={"type": "areas", "codes": ["99999"]}),
            line(9, name="\N{GRINNING FACE}"),
            b'{"name": "' + b"x" * bodies.LINE_LIMIT + b'"}',
            b"\xff",
            line(12),
            line(13, zone={"type": "polygon", "coordinates": [[2.0, 48.0], [2.1, 48.1], [2.1, 48.0], [2.0, 48.1]]}),
            line(14, zone={"type": "polygon", "coordinates": [[2.0, 44.0], [9.0, 44.0], [9.0, 53.0], [2.0, 53.0]]}),
        ]
    )
    report = await imported(town, body)
    assert report["accepted"] == 3
    refused = [(one["line"], one["code"]) for one in report["refused"]]
    assert refused == [
        (2, "bad_request"),
        (3, "unknown_field"),
        (4, "bad_hours"),
        (5, "invalid"),
        (7, "unknown_service"),
        (8, "bad_zone"),
        (10, "too_large"),
        (11, "bad_request"),
        (13, "bad_zone"),
        (14, "bad_zone"),
    ]
    assert all(one["detail"] for one in report["refused"])
    assert [(await town.call("GET", f"/providers/n-{number}")).status_code for number in (1, 3, 9, 12, 13)] == [200, 404, 200, 200, 404]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n\n"])
async def test_the_last_line_may_end_or_not(town: Town, end: bytes) -> None:
    assert await imported(town, line(1) + b"\n" + line(2) + end) == {"accepted": 2, "refused": []}


async def test_nothing_is_a_stream_too(town: Town) -> None:
    assert await imported(town, b"") == {"accepted": 0, "refused": []}


async def test_a_rank_needs_an_ops_role_on_every_line_that_has_one(town: Town) -> None:
    ranked = line(1, initial_rank={"tier": "premier", "score": 8.7})
    report = await imported(town, ranked + b"\n" + line(2))
    assert (report["accepted"], [(one["line"], one["code"]) for one in report["refused"]]) == (1, [(1, "forbidden")])
    assert (await imported(town, ranked, town.manager_key))["accepted"] == 1
    assert (await town.call("GET", "/providers/n-1")).json()["tier"] == "premier"


async def test_more_than_a_body_may_hold_goes_in_as_a_stream(town: Town) -> None:
    body = b"\n".join(line(number, status="inactive") for number in range(1_500))
    assert len(body) > bodies.LIMIT
    assert await imported(town, body) == {"accepted": 1_500, "refused": []}


async def test_lines_go_in_while_others_are_still_on_their_way(town: Town) -> None:
    """A line that repeats a provider writes those before it; an import that breaks off has taken what was written."""

    async def broken() -> AsyncIterator[bytes]:
        for number in (1, 2, 1):
            yield line(number) + b"\n"
        with anyio.fail_after(20):
            while (await town.call("GET", "/providers/n-2")).status_code != 200:
                pass
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await town.api.http.post(f"{town.root}/providers/import", content=broken(), headers={"authorization": f"Bearer {town.booking_key}"})
    assert (await town.call("GET", "/providers/n-1")).status_code == 200


class Stream:
    """A request whose body comes in the given parts; remembers how many were asked for."""

    def __init__(self, *parts: bytes) -> None:
        self.parts, self.asked = parts, 0

    async def stream(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            self.asked += 1
            yield part


SPLITS = (
    ((b"a\nb\nc",), [b"a", b"b", b"c"]),
    ((b"a", b"\n", b"b\n"), [b"a", b"b"]),
    ((b"ab", b"c\nde", b"f"), [b"abc", b"def"]),
    ((b"\n\n",), [b"", b""]),
    ((), []),
    ((b"\xc3", b"\xa9\n"), ["é".encode()]),
)


@pytest.mark.parametrize(("parts", "lines"), SPLITS)
async def test_lines_are_found_however_the_body_is_cut(parts: tuple[bytes, ...], lines: list[bytes]) -> None:
    assert [found async for found in bodies.lines(Stream(*parts))] == lines


async def test_a_part_is_asked_for_only_when_the_lines_before_were_taken() -> None:
    stream = Stream(b"a\nb\n", b"c\n", b"d\n")
    found = bodies.lines(stream)
    assert [await anext(found), await anext(found)] == [b"a", b"b"]
    assert stream.asked == 1
    assert await anext(found) == b"c"
    assert stream.asked == 2
    await found.aclose()


async def test_an_endless_line_takes_no_memory_and_spoils_no_other() -> None:
    long = b"x" * 10_000
    parts = [b"a\n", *[long] * 50, b"\nb\n", *[long] * 7, b"\nc"]
    found = [(len(one), one[:1]) async for one in bodies.lines(Stream(*parts))]
    assert found == [(1, b"a"), (bodies.LINE_LIMIT + 1, b"x"), (1, b"b"), (bodies.LINE_LIMIT + 1, b"x"), (1, b"c")]

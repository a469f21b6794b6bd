"""Reading what a caller sends: bounded in size and time, then as the type that the call takes."""

from collections.abc import AsyncIterator
from functools import lru_cache
from typing import Any, TypeVar

import anyio
import msgspec
from msgspec import Struct
from msgspec.structs import fields
from starlette.requests import Request

from dispatch.api.problems import unreadable
from dispatch.errors import BadRequest, TooLarge, Unprocessable
from dispatch.model import Id

LIMIT = 256 * 1024  # bytes of a body
LINE_LIMIT = 64 * 1024  # bytes of a line of an import
T = TypeVar("T")
PATIENCE_S = 30  # for a whole body; for the next part of an import


async def read(request: Request) -> bytes:
    """The body. Raises TooLarge, or BadRequest when it does not arrive in time."""
    if int(request.headers.get("content-length", 0)) > LIMIT:
        raise _too_large()
    body = bytearray()
    try:
        with anyio.fail_after(PATIENCE_S):
            async for part in request.stream():
                body += part
                if len(body) > LIMIT:
                    raise _too_large()
    except TimeoutError as late:
        raise BadRequest(f"the body did not arrive within {PATIENCE_S} s") from late
    return bytes(body)


def _too_large() -> TooLarge:
    return TooLarge(f"a body has at most {LIMIT} bytes; providers can be sent in any number to the import")


def decode(raw: bytes, wanted: Any) -> Any:
    """The body as the type wanted. Raises BadRequest or Unprocessable."""
    try:
        return _decoder(wanted).decode(raw or _nothing(wanted))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(error, wanted) from None


def asked(request: Request, wanted: type[T]) -> T:
    """What follows the question mark of a path, as the type wanted. Raises Unprocessable."""
    try:
        return msgspec.convert(dict(request.query_params), wanted, strict=False)
    except msgspec.ValidationError as error:
        raise unreadable(error, wanted) from None


@lru_cache(maxsize=128)
def _nothing(wanted: Any) -> bytes:
    """What no body at all stands for: where nothing has to be said, an empty object."""
    free = isinstance(wanted, type) and issubclass(wanted, Struct) and not any(field.required for field in fields(wanted))
    return b"{}" if free else b""


@lru_cache(maxsize=128)
def _decoder(wanted: Any) -> "msgspec.json.Decoder[Any]":
    return msgspec.json.Decoder(wanted)


async def lines(request: Request) -> AsyncIterator[bytes]:
    """The lines of a streamed body, as they come, without their ends. The next part is asked for when the last line was taken.

    Of a line over the limit only its first bytes come, one more than allowed, so that whoever reads it can tell.
    """
    rest, skipping = bytearray(), False
    async for part in _parts(request):
        rest += part
        *whole, tail = bytes(rest).split(b"\n")
        for line in whole:
            if not skipping:
                yield line[: LINE_LIMIT + 1]
            skipping = False
        if not skipping and len(tail) > LINE_LIMIT:
            yield tail[: LINE_LIMIT + 1]
            skipping = True
        rest = bytearray() if skipping else bytearray(tail)
    if rest:
        yield bytes(rest)


async def _parts(request: Request) -> AsyncIterator[bytes]:
    stream = request.stream()
    while True:
        try:
            with anyio.fail_after(PATIENCE_S):
                part = await anext(stream, None)
        except TimeoutError as late:
            raise BadRequest(f"nothing arrived for {PATIENCE_S} s; what arrived before was taken") from late
        if part is None:
            return
        yield part


def id_from_path(text: str, name: str) -> str:
    """An outside id that a path gives to something new. Raises Unprocessable ``invalid`` when it cannot be one."""
    try:
        return msgspec.convert(text, Id)
    except msgspec.ValidationError as wrong:
        raise Unprocessable(f"{name} in the path: {str(wrong)[:1].lower()}{str(wrong)[1:]}") from None

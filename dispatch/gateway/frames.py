"""Stored messages on their way to devices: decoded no further than their delivery needs, encoded at most once per encoding."""

from collections.abc import Iterable

from dispatch.wire import Codec, Head, head


class Frame:
    """One message of a provider's stream, as the store keeps it (msgpack), and its other encoding once a device has asked for it."""

    __slots__ = ("_json", "head", "msgpack")

    def __init__(self, msgpack: bytes) -> None:
        self.msgpack = msgpack
        self.head: Head = head(msgpack)
        self._json: bytes | None = None

    def encoded(self, codec: Codec) -> bytes:
        """Its bytes for a device that speaks ``codec``."""
        if not codec.text:
            return self.msgpack
        if self._json is None:
            self._json = codec.from_msgpack(self.msgpack)
        return self._json

    def expired(self, engine_now: int) -> bool:
        """Whether it is a proposal that can no longer be accepted."""
        return self.head.type == "proposal" and self.head.expires_at is not None and self.head.expires_at <= engine_now


def paged(frames: Iterable[Frame], codec: Codec, room: int) -> list[list[bytes]]:
    """Their encodings, in order, in pages of at most ``room`` bytes each. There is always a first page, if an empty one."""
    pages: list[list[bytes]] = [[]]
    size = 0
    for frame in frames:
        data = frame.encoded(codec)
        if pages[-1] and size + len(data) > room:
            pages.append([])
            size = 0
        pages[-1].append(data)
        size += len(data) + 1  # JSON's comma
    return pages

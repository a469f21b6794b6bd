"""A provider as the store knows him: what is read of him, and what it says."""

import struct
from typing import Any

import msgspec
from msgspec import Struct

from dispatch.model import Id, ProviderSettings, Span, Tier
from dispatch.store.calls import text
from dispatch.store.keys import key

FIELDS = ("slot", "tier", "score", "status", "push", "off", "paused", "live", "version", "bucket", "until", "answered", "since")


class Profile(Struct, frozen=True, kw_only=True):
    """What can be erased of a provider: his id and settings."""

    id: Id
    settings: ProviderSettings


class Standing(Struct, frozen=True, kw_only=True):
    """A provider as the store knows him."""

    no: int
    id: str
    settings: ProviderSettings
    tier: Tier
    score: float
    bucket: int
    slot: int
    asked_at: int
    reachable: bool
    available: bool
    paused: bool
    live: int
    visits: tuple[Span, ...]
    devices: int
    version: int  # of his settings, read before them
    since: int


def reads(market: str, pno: int) -> tuple[tuple[Any, ...], ...]:
    """The commands that read him; their replies, in this order, are the facts of `standing`."""
    return (
        ("HMGET", key("provider", market, pno), *FIELDS),
        ("GET", key("profile", market, pno)),
        ("HLEN", key("links", market, pno)),
        ("ZRANGE", key("visits", market, pno), 0, -1),
    )


def asked_at(market: str, shelf: int, slot: int) -> tuple[Any, ...]:
    """The command that reads when the provider of a slot was last asked, as his record has it."""
    chunk, place = divmod(slot, 4_096)
    return ("GETRANGE", key("x_records", market, shelf, chunk), place * 32 + 4, place * 32 + 11)


def standing(pno: int, facts: list[Any], asked: bytes) -> Standing:
    """A provider from the replies of `reads` and `asked_at`."""
    fields, raw, devices, visits = facts
    profile = decoded(raw)
    slot, tier, score, _, push, off, paused, live, version, bucket, _, _, since = fields
    return Standing(
        no=pno,
        id=profile.id,
        settings=profile.settings,
        tier=Tier(text(tier or Tier.LIMITED)),
        score=float(score or 0),
        bucket=int(bucket),
        slot=int(slot),
        asked_at=int(struct.unpack("<d", asked)[0]) if len(asked) == 8 else 0,
        reachable=push == b"1" or devices > 0,
        available=off != b"1",
        paused=paused == b"1",
        live=int(live or 0),
        visits=tuple(_visit(text(visit)) for visit in visits),
        devices=devices,
        version=int(version or 0),
        since=int(since or 0),
    )


def _visit(member: str) -> Span:
    _, start, end = member.split(":")
    return Span(int(start), int(end))


def encoded(provider_id: str, settings: ProviderSettings) -> bytes:
    """His profile as it is kept."""
    return msgspec.msgpack.encode(Profile(id=provider_id, settings=settings))


_profiles = msgspec.msgpack.Decoder(Profile)


def decoded(raw: bytes) -> Profile:
    """His profile, from what is kept."""
    return _profiles.decode(raw)

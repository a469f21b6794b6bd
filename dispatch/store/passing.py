"""Refusals of the server that speak of its moment, not of the installation: the same again may work later."""

from typing import Final

from redis.exceptions import ClusterDownError, MasterDownError, OutOfMemoryError, ReadOnlyError, ResponseError, TryAgainError

KINDS: Final = (ClusterDownError, MasterDownError, OutOfMemoryError, ReadOnlyError, TryAgainError)
WORDS: Final = ("BUSY ", "MISCONF ", "NOREPLICAS ")  # those that the client has no class for


def passing(error: ResponseError) -> bool:
    """Whether to wait helps: the server is full, busy with a script, or just not the primary."""
    return isinstance(error, KINDS) or str(error).startswith(WORDS)

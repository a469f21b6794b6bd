"""What is answered about a market's settings and their changes."""

from datetime import datetime
from typing import Any

from dispatch.api.answers.answer import Answer


class SettingChange(Answer, frozen=True):
    """One field that is other than it was: ``answer_s.far`` is the field ``far`` of ``answer_s``. Secrets are hidden; a value that is too
    long to keep is ``{"length", "sha256"}``."""

    field: str
    old: Any
    new: Any


class SettingsChange(Answer, frozen=True):
    """A change of a market's settings: who (the name of his key, and its id), when, and what. ``audit``: its line in the audit log, where
    it was by hand; ``created``: the market was new, ``old`` are the defaults."""

    number: int
    at: datetime
    who: str
    key: str
    audit: int | None
    created: bool
    changes: tuple[SettingChange, ...]


class SettingsHistory(Answer, frozen=True):
    """A page of the last 1,000 changes, newest first; ``next``: the ``before`` of the following page, null when this is the last."""

    entries: tuple[SettingsChange, ...]
    next: int | None

"""VAPID: who we are to the push services of browsers (RFC 8292). One pair of keys for an installation; browsers subscribe with the public.

The file holds {"subject", "public_key", "private_key"}: whom a push service may ask, and the keys in unpadded base64url, as browsers and
other tools write them. Who loses it loses every subscription made with it.
"""

import base64
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from dispatch.errors import ConfigError
from dispatch.push.addresses import unpadded

LIFE_S = 12 * 3_600  # of a token; services take no more than 24 h
RENEW_S = 3_600  # before its end
ORIGINS = 64  # push services for which a token is kept
SHAPE = '{"subject": "mailto:... or https://...", "public_key": ..., "private_key": ...}'


@dataclass(frozen=True, slots=True)
class VapidKeys:
    """The keys of one installation."""

    subject: str
    private: ec.EllipticCurvePrivateKey
    _tokens: dict[str, tuple[str, float]] = field(default_factory=dict, compare=False)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a file. Raises ConfigError when it is missing or something else."""
        try:
            known: dict[str, Any] = json.loads(path.read_bytes())
            number = int.from_bytes(unpadded(known["private_key"]))
            keys = cls(subject_of(known["subject"]), ec.derive_private_key(number, ec.SECP256R1()))
        except OSError as error:
            raise ConfigError(f"the VAPID keys cannot be read: {error}; `dispatch vapid` makes them") from None
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{path} must be {SHAPE}, as `dispatch vapid` makes it: {type(error).__name__}") from None
        if unpadded(str(known.get("public_key"))) != unpadded(keys.public_key):
            raise ConfigError(f"{path}: public_key is not the one of private_key")
        return keys

    @classmethod
    def make(cls, subject: str) -> Self:
        """A fresh pair. Raises ConfigError for a subject that nobody could ask."""
        try:
            return cls(subject_of(subject), ec.generate_private_key(ec.SECP256R1()))
        except ValueError as wrong:
            raise ConfigError(str(wrong)) from None

    def write(self, path: Path) -> None:
        """Keep them in a new file (mode 0600). Raises ConfigError when there is one: subscriptions depend on it."""
        private = self.private.private_numbers().private_value.to_bytes(32)
        text = json.dumps({"subject": self.subject, "public_key": self.public_key, "private_key": _text(private)}, indent=1)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(text + "\n")
        except FileExistsError:
            raise ConfigError(f"{path} is there already, and browsers have subscribed with it; name another file") from None
        except OSError as error:
            raise ConfigError(f"the VAPID keys cannot be written: {error}") from None

    @property
    def public_key(self) -> str:
        """What a browser subscribes with (``applicationServerKey``)."""
        return _text(self.private.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint))

    def authorization(self, endpoint: str) -> str:
        """The header for a push service. One token serves all subscriptions there."""
        parts, now = urlsplit(endpoint), time.time()
        origin = f"{parts.scheme}://{parts.netloc}"
        token, renew_at = self._tokens.get(origin, ("", 0.0))
        if now >= renew_at:
            claims = {"aud": origin, "exp": int(now) + LIFE_S, "sub": self.subject}
            token = jwt.encode(claims, self.private, "ES256")
            if len(self._tokens) >= ORIGINS:
                self._tokens.clear()
            self._tokens[origin] = token, now + LIFE_S - RENEW_S
        return f"vapid t={token}, k={self.public_key}"


def subject_of(text: str) -> str:
    """Whom a push service may ask. Raises ValueError."""
    address = text.removeprefix("mailto:") if text.startswith("mailto:") else ""
    if not (0 < address.find("@") < len(address) - 1 or (text.startswith("https://") and urlsplit(text).hostname)):
        raise ValueError("the subject is whom push services may ask: mailto:somebody@example.com, or an https URL")
    return text


def _text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

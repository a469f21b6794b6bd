"""Who a device is: tokens signed with the keys of one file, a JSON Web Key Set.

A token says: this device of this provider of this market, until then. It is a JWT with pinned issuer, audience and type (RFC 8725): the
algorithm is the key's, never the token's. The first key of the file that can sign does; the others only verify, so a new key is put in
front and the old one removed when its last token has run out. Keys are ``oct`` (HS256) or ``OKP`` (EdDSA; without ``d`` it only verifies).
What a header says of keys (``jwk``, ``jku``, ``x5u``) is not even looked at, and one that makes something critical (``crit``) is refused.
"""

import base64
import json
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from types import NoneType
from typing import Any, Final, Self

import jwt
from jwt.types import Options

from dispatch.errors import ConfigError, Unauthorized

ISSUER: Final = "dispatch"
AUDIENCE: Final = "dispatch-device"
TYPE: Final = "at+device"
LEEWAY_S: Final = 5  # clocks of two of our machines may differ by so much
ALGORITHMS: Final = {"oct": "HS256", "OKP": "EdDSA"}  # by kind of key
REQUIRED: Final = ["exp", "iat", "iss", "aud", "sub", "market"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a valid token says. ``device_id`` None: any device of the provider. ``expires_s`` is wall time.

    ``token_generation``: the one of its provider's tokens in which it was issued: after a revocation it is an old one. ``number``: the
    store's of that provider, as it was then; to be compared, not believed.
    """

    market: str
    provider_id: str
    device_id: str | None
    expires_s: int
    token_generation: int = 0
    number: int | None = None


class DeviceKeys:
    """The keys of one file."""

    def __init__(self, keys: dict[str, jwt.PyJWK], signing: str | None) -> None:
        self._keys, self._signing = keys, signing

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read the file. Raises ConfigError when it is missing or is no key set."""
        try:
            entries = json.loads(path.read_bytes())["keys"]
            keys = {entry["kid"]: jwt.PyJWK(entry, ALGORITHMS[entry["kty"]]) for entry in entries}
            signing = next((entry["kid"] for entry in entries if "k" in entry or "d" in entry), None)
        except OSError as error:
            raise ConfigError(f"the keys of device tokens cannot be read: {error}") from None
        except (ValueError, KeyError, TypeError, jwt.PyJWTError) as error:
            raise ConfigError(
                f'{path} must be a JSON Web Key Set {{"keys": [{{"kty", "kid", ...}}]}} of oct or OKP keys: {error!r}'
            ) from None
        if any(len(key.key) < 32 for key in keys.values() if isinstance(key.key, bytes)):
            raise ConfigError(f"{path}: an HS256 key needs at least 32 bytes")
        return cls(keys, signing)

    @classmethod
    def create(cls, path: Path) -> Self:
        """Read the file, made first if there is none (mode 0600). Several processes may do so at once: one file wins, all read it."""
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_new(path, json.dumps({"keys": [_new_key()]}).encode())
        return cls.load(path)

    def issue(
        self, market: str, provider_id: str, device_id: str | None, ttl_s: int, token_generation: int = 0, number: int | None = None
    ) -> tuple[str, int]:
        """A token for a device, and when it runs out (wall ms)."""
        if self._signing is None:
            raise ConfigError("none of the keys of device tokens can sign: add an oct key, or an OKP key with `d`")
        now, key = int(time.time()), self._keys[self._signing]
        claims: dict[str, Any] = {"iss": ISSUER, "aud": AUDIENCE, "sub": provider_id, "market": market, "iat": now, "exp": now + ttl_s}
        claims |= {"device": device_id} if device_id is not None else {}
        claims |= {"gen": token_generation} if token_generation else {}
        claims |= {"num": number} if number is not None else {}
        token = jwt.encode(claims, key.key, key.algorithm_name, headers={"kid": self._signing, "typ": TYPE})
        return token, (now + ttl_s) * 1_000

    def verify(self, token: str) -> Claims:
        """Read a token. Raises Unauthorized, with a text that says what is wrong but nothing about the keys."""
        try:
            header = jwt.get_unverified_header(token)
            key = self._keys.get(header.get("kid", ""))
            if key is None or header.get("typ") != TYPE:
                raise Unauthorized("not a device token of this installation")
            checks: Options = {"require": REQUIRED, "strict_aud": True}
            claims = jwt.decode(token, key.key, [key.algorithm_name], checks, audience=AUDIENCE, issuer=ISSUER, leeway=LEEWAY_S)
        except jwt.ExpiredSignatureError:
            raise Unauthorized("the token has run out; ask for a new one") from None
        except (jwt.PyJWTError, ValueError, TypeError):
            raise Unauthorized("not a device token of this installation") from None
        return _claims(claims)


def _claims(claims: dict[str, Any]) -> Claims:
    market, device, gen, number = claims["market"], claims.get("device"), claims.get("gen", 0), claims.get("num")
    if not isinstance(market, str) or not isinstance(device, str | None) or type(gen) is not int or type(number) not in (int, NoneType):
        raise Unauthorized("not a device token of this installation")
    return Claims(
        market=market, provider_id=claims["sub"], device_id=device, expires_s=int(claims["exp"]), token_generation=gen, number=number
    )


def _new_key() -> dict[str, str]:
    secret = base64.urlsafe_b64encode(secrets.token_bytes(32)).rstrip(b"=").decode()
    return {"kty": "oct", "kid": secrets.token_hex(4), "alg": "HS256", "use": "sig", "k": secret}


def _write_new(path: Path, text: bytes) -> None:
    """Put a whole file there, unless somebody else was first: written aside, then linked, so that nobody reads half of it."""
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.link(aside, path)
    except FileExistsError:
        pass  # theirs is as good as ours
    finally:
        aside.unlink()

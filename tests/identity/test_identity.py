"""Device tokens: what a good one says, and that nothing else passes for one."""

import base64
import json
import os
import stat
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from dispatch.errors import ConfigError, Unauthorized
from dispatch.identity import AUDIENCE, ISSUER, TYPE, Claims, DeviceKeys

SECRET = b"s" * 64


def text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def key_file(folder: Path, *keys: dict[str, Any]) -> Path:
    path = folder / "keys.json"
    path.write_text(json.dumps({"keys": keys}))
    return path


def shared(kid: str = "a", secret: bytes = SECRET) -> dict[str, Any]:
    return {"kty": "oct", "kid": kid, "k": text(secret)}


def pair(kid: str) -> tuple[dict[str, Any], dict[str, Any]]:
    private = {**OKPAlgorithm.to_jwk(Ed25519PrivateKey.generate(), as_dict=True), "kid": kid}
    return private, {name: value for name, value in private.items() if name != "d"}


def test_a_token_says_who_the_device_is(tmp_path: Path) -> None:
    keys = DeviceKeys.create(tmp_path / "keys.json")
    token, expires_at = keys.issue("paris", "p-1", "phone-1", 60)
    assert keys.verify(token) == Claims(market="paris", provider_id="p-1", device_id="phone-1", expires_s=expires_at // 1_000)
    assert abs(expires_at - (time.time() + 60) * 1_000) < 2_000
    assert keys.verify(keys.issue("paris", "p-1", None, 60)[0]).device_id is None


def test_keys_are_made_once_and_for_their_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "keys.json"
    token, _ = DeviceKeys.create(path).issue("paris", "p-1", None, 60)
    before = path.read_bytes()
    assert DeviceKeys.create(path).verify(token).provider_id == "p-1"
    assert path.read_bytes() == before
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert os.listdir(path.parent) == ["keys.json"]


def made(path: str) -> str:
    return DeviceKeys.create(Path(path)).issue("paris", "p-1", None, 60)[0]


def test_processes_that_start_together_share_one_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    with ProcessPoolExecutor(4) as pool:
        tokens = list(pool.map(made, [str(path)] * 8))
    keys = DeviceKeys.load(path)
    assert {keys.verify(token).provider_id for token in tokens} == {"p-1"}
    assert os.listdir(tmp_path) == ["keys.json"]


def test_a_public_key_verifies_and_the_first_that_can_sign_does(tmp_path: Path) -> None:
    private, public = pair("new")
    signing = DeviceKeys.load(key_file(tmp_path, private, shared("old")))
    token, _ = signing.issue("paris", "p-1", None, 60)
    assert jwt.get_unverified_header(token) == {"alg": "EdDSA", "kid": "new", "typ": TYPE}
    verifying = DeviceKeys.load(key_file(tmp_path, public))
    assert verifying.verify(token).provider_id == "p-1"
    with pytest.raises(ConfigError):
        verifying.issue("paris", "p-1", None, 60)


def test_an_older_key_is_good_until_it_is_removed(tmp_path: Path) -> None:
    token, _ = DeviceKeys.load(key_file(tmp_path, shared("old"))).issue("paris", "p-1", None, 60)
    assert DeviceKeys.load(key_file(tmp_path, shared("new", b"n" * 32), shared("old"))).verify(token)
    with pytest.raises(Unauthorized):
        DeviceKeys.load(key_file(tmp_path, shared("new", b"n" * 32))).verify(token)


GOOD = {"iss": ISSUER, "aud": AUDIENCE, "sub": "p-1", "market": "paris", "device": "d"}


def forged(header: dict[str, Any], key: Any = SECRET, algorithm: str = "HS256", **changes: Any) -> str:
    now = int(time.time())
    claims = {**GOOD, "iat": now, "exp": now + 60, **changes}
    claims = {name: value for name, value in claims.items() if value is not ...}
    return jwt.encode(claims, key, algorithm, headers={"kid": "a", "typ": TYPE, **header})


def test_the_forger_of_these_tests_can_make_a_good_token(tmp_path: Path) -> None:
    assert DeviceKeys.load(key_file(tmp_path, shared())).verify(forged({}))


@pytest.mark.parametrize(
    ("what", "token"),
    [
        ("nothing", lambda: ""),
        ("no token", lambda: "a.b.c"),
        ("another key", lambda: forged({}, b"x" * 32)),
        ("another algorithm with the same secret", lambda: forged({}, algorithm="HS512")),
        ("no signature at all", lambda: forged({}, None, "none")),
        ("an unknown key", lambda: forged({"kid": "z"})),
        ("no key named", lambda: forged({"kid": ""})),
        ("another type", lambda: forged({"typ": "JWT"})),
        ("another issuer", lambda: forged({}, iss="elsewhere")),
        ("another audience", lambda: forged({}, aud="dispatch-ops")),
        ("several audiences", lambda: forged({}, aud=[AUDIENCE, "dispatch-ops"])),
        ("no end", lambda: forged({}, exp=...)),
        ("ended", lambda: forged({}, exp=int(time.time()) - 60)),
        ("from the future", lambda: forged({}, iat=int(time.time()) + 600)),
        ("nobody", lambda: forged({}, sub=...)),
        ("no market", lambda: forged({}, market=...)),
        ("a market that is no text", lambda: forged({}, market=7)),
        ("a device that is no text", lambda: forged({}, device=7)),
        ("cut short", lambda: forged({})[:-4]),
    ],
)
def test_nothing_else_passes_for_a_token(tmp_path: Path, what: str, token: Callable[[], str]) -> None:
    with pytest.raises(Unauthorized):
        DeviceKeys.load(key_file(tmp_path, shared())).verify(token())


def test_a_public_key_is_never_taken_for_a_secret(tmp_path: Path) -> None:
    """The oldest trick: sign with HS256, using the public key's bytes as the secret."""
    _, public = pair("a")
    secret = base64.urlsafe_b64decode(public["x"] + "=")
    with pytest.raises(Unauthorized):
        DeviceKeys.load(key_file(tmp_path, public)).verify(forged({}, secret))


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"keys": [{}]}', '{"keys": [{"kty": "RSA", "kid": "a"}]}', '{"keys": [{"kty": "oct", "kid": "a", "k": "c2hvcnQ"}]}'],
)
def test_a_file_that_is_no_key_set_is_a_mistake_of_the_installation(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content)
    with pytest.raises(ConfigError):
        DeviceKeys.load(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"keys\.json"):
        DeviceKeys.load(tmp_path / "keys.json")

"""Which sender serves whom, by what the operator has set up."""

import json
import sys
from pathlib import Path

import aiohttp
import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from dispatch.errors import ConfigError
from dispatch.push import Outcome, Verdict
from dispatch.push.services import Services, public_key
from dispatch.push.vapid import VapidKeys
from dispatch.settings import Settings, read
from tests.push.said import told
from tests.push.test_fcm import ACCOUNT


def pem(key: ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture
def everything(tmp_path: Path) -> dict[str, object]:
    """All services set up."""
    VapidKeys.make("mailto:ops@example.org").write(tmp_path / "vapid.json")
    (tmp_path / "fcm.json").write_text(json.dumps(ACCOUNT))
    (tmp_path / "apns.p8").write_bytes(pem(ec.generate_private_key(ec.SECP256R1())))
    apple = {"push_apns_key": "K", "push_apns_team": "T", "push_apns_topic": "com.example"}
    return {"data_dir": tmp_path, "push_fcm_file": tmp_path / "fcm.json", "push_apns_file": tmp_path / "apns.p8", **apple}


async def test_without_anything_set_up_all_goes_to_the_log_without_an_address(http: aiohttp.ClientSession, tmp_path: Path) -> None:
    services = Services(read(data_dir=tmp_path), http)
    assert services.logged == ["webpush", "fcm", "apns"]
    with structlog.testing.capture_logs() as lines:
        assert await services.of("fcm").send("secret-token", told()) == Outcome(Verdict.SENT, None, "logged")
    assert [(line["event"], line["id"], line["kind"]) for line in lines] == [("push_logged", "7.1.42", "proposal")]
    assert "secret-token" not in json.dumps(lines)
    await services.close()


async def test_each_service_that_is_set_up_has_its_sender(http: aiohttp.ClientSession, everything: dict[str, object]) -> None:
    services = Services(read(**everything), http)
    assert {kind: services.of(kind).name for kind in ("webpush", "fcm", "apns", "other")} == {
        "webpush": "webpush", "fcm": "fcm", "apns": "apns", "other": "log",
    }  # fmt: skip
    assert services.logged == []
    await services.close()


async def test_what_is_set_up_without_its_packages_is_told(
    http: aiohttp.ClientSession, everything: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pywebpush", None)
    monkeypatch.delitem(sys.modules, "dispatch.push.webpush", raising=False)
    with pytest.raises(ConfigError, match=r"install dispatch-engine\[push\]"):
        Services(read(**everything), http)


@pytest.mark.parametrize(
    ("file", "text", "complaint"),
    [
        ("vapid.json", b"{}", "must be"),
        ("vapid.json", b'{"subject": "mailto:a@b.example", "public_key": "BA", "private_key": "AQ"}', "public_key is not the one"),
        ("vapid.json", b'{"subject": "mailto:a@b.example", "public_key": "BA", "private_key": ""}', "must be"),
        ("vapid.json", b'{"subject": "me", "public_key": "BA", "private_key": "AQ"}', "must be"),
        ("fcm.json", b"{}", "DISPATCH_PUSH_FCM_FILE"),
        ("apns.p8", b"hello", "DISPATCH_PUSH_APNS_FILE"),
        ("apns.p8", pem(ed25519.Ed25519PrivateKey.generate()), "no key of an elliptic curve"),
    ],
)
async def test_a_key_that_is_none_ends_the_start_with_a_sentence(
    http: aiohttp.ClientSession, everything: dict[str, object], tmp_path: Path, file: str, text: bytes, complaint: str
) -> None:
    (tmp_path / file).write_bytes(text)
    with pytest.raises(ConfigError, match=complaint):
        Services(read(**everything), http)


@pytest.mark.parametrize("name", ["push_vapid_file", "push_fcm_file", "push_apns_file"])
async def test_a_file_that_is_not_there_is_told(
    http: aiohttp.ClientSession, everything: dict[str, object], tmp_path: Path, name: str
) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        Services(read(**everything | {name: tmp_path / "nothing"}), http)


def test_the_public_key_is_that_of_the_file(everything: dict[str, object], tmp_path: Path) -> None:
    chosen: Settings = read(**everything)
    assert public_key(chosen) == json.loads((tmp_path / "vapid.json").read_text())["public_key"]
    assert public_key(read(data_dir=tmp_path / "elsewhere")) is None


def test_keys_survive_the_file_and_no_file_is_overwritten(tmp_path: Path) -> None:
    keys = VapidKeys.make("https://example.org/contact")
    keys.write(tmp_path / "new" / "vapid.json")
    again = VapidKeys.load(tmp_path / "new" / "vapid.json")
    assert (again.public_key, again.subject) == (keys.public_key, "https://example.org/contact")
    assert (tmp_path / "new" / "vapid.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(ConfigError, match="is there already"):
        VapidKeys.make("https://example.org").write(tmp_path / "new" / "vapid.json")


@pytest.mark.parametrize("subject", ["", "me", "mailto:", "mailto:me", "mailto:@", "http://example.org", "https://"])
def test_a_subject_that_nobody_could_ask_is_refused(subject: str) -> None:
    with pytest.raises(ConfigError, match="whom push services may ask"):
        VapidKeys.make(subject)

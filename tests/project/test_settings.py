"""The settings of an installation: read once, refused when wrong, and all of them in the reference."""

import socket
from pathlib import Path

import pytest
from pydantic import ValidationError

from dispatch import settings
from dispatch.errors import ConfigError
from dispatch.settings import Settings, read

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _only_what_the_test_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"DISPATCH_{name.upper()}", raising=False)


def test_the_reference_lists_exactly_these_settings() -> None:
    written = (ROOT / "docs/reference/settings.md").read_text()
    assert written == settings.reference(), "write it again: python -m dispatch settings-docs > docs/reference/settings.md"


def test_every_setting_has_a_description_of_a_whole_sentence() -> None:
    assert [row.variable for row in settings.rows() if not row.description.endswith(".")] == []


def test_the_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        read().dev = True  # type: ignore[misc]


@pytest.mark.parametrize(
    ("variable", "text", "name", "value"),
    [
        ("DISPATCH_HTTP_PORT", "9000", "http_port", 9000),
        ("DISPATCH_DATA_DIR", "/srv/dispatch", "data_dir", Path("/srv/dispatch")),
        ("DISPATCH_PROFILE", "dev", "profile", "dev"),
        ("DISPATCH_ORIGINS", "https://a.example, http://localhost:3000", "origins", ("https://a.example", "http://localhost:3000")),
        ("DISPATCH_PEERS", "", "peers", ()),
        ("DISPATCH_REDIS_URL", "redis://store:6379/0", "redis_url", "redis://store:6379/0"),
        ("DISPATCH_REDIS_URL", "valkeys://store:6379", "redis_url", "rediss://store:6379"),
        ("DISPATCH_REDIS_URL", "", "redis_url", None),
        ("DISPATCH_DEV", "1", "dev", True),
        ("DISPATCH_DEV", "1", "allow_private_webhooks", True),
        ("DISPATCH_DEV", "0", "allow_private_webhooks", False),
        ("DISPATCH_DATA_DIR", "/srv/dispatch", "keys_file", Path("/srv/dispatch/jwt-keys.json")),
        ("DISPATCH_JWT_KEYS_FILE", "/run/keys.json", "keys_file", Path("/run/keys.json")),
        ("DISPATCH_DATA_DIR", "/srv/dispatch", "archive", Path("/srv/dispatch/archive")),
        ("DISPATCH_ARCHIVE_DIR", "/cold", "archive", Path("/cold")),
        ("DISPATCH_PUSH_VAPID_FILE", "/run/vapid.json", "vapid_file", Path("/run/vapid.json")),
        ("DISPATCH_DATA_DIR", "/nowhere", "vapid_file", None),
        ("DISPATCH_PUSH_APNS_URL", "https://api.sandbox.push.apple.com", "push_apns_url", "https://api.sandbox.push.apple.com"),
    ],
)
def test_a_variable_of_the_environment_is_read(monkeypatch: pytest.MonkeyPatch, variable: str, text: str, name: str, value: object) -> None:
    monkeypatch.setenv(variable, text)
    assert getattr(read(), name) == value


def test_keys_of_web_push_in_the_data_folder_are_used(tmp_path: Path) -> None:
    assert read(data_dir=tmp_path).vapid_file is None
    (tmp_path / "vapid.json").touch()
    assert read(data_dir=tmp_path).vapid_file == tmp_path / "vapid.json"
    assert read(data_dir=tmp_path, push_vapid_file=Path("other.json")).vapid_file == Path("other.json")


def test_the_command_line_overrules_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DISPATCH_HTTP_PORT", "9000")
    assert read(http_port=9001).http_port == 9001
    assert read(http_port=None).http_port == 9000


@pytest.mark.parametrize(
    ("chosen", "complaint"),
    [
        ({"redis_url": "http://store"}, "DISPATCH_REDIS_URL: a store URL begins with"),
        ({"http_port": 70_000}, "DISPATCH_HTTP_PORT: "),
        ({"profile": "fast"}, "DISPATCH_PROFILE: "),
        ({"origins": "https://a.example/path"}, "an origin is scheme://host"),
        ({"origins": "a.example"}, "an origin is scheme://host"),
        ({"device_url": "https://live.example"}, "DISPATCH_DEVICE_URL: an address for devices begins with wss://"),
        ({"token_url": "http://shop.example/token"}, "DISPATCH_TOKEN_URL: an address for tokens begins with https://"),
        ({"token_url": "shop.example"}, "an address for tokens begins with https://"),
        ({"gateway_id": "a b"}, "DISPATCH_GATEWAY_ID: "),
        ({"clock_speed": 60}, "DISPATCH_CLOCK_SPEED: only 1 is allowed without --dev"),
        ({"dev": True, "http_host": "0.0.0.0"}, "DISPATCH_HTTP_HOST=0.0.0.0: under --dev only loopback"),
        ({"dev": True, "device_host": "192.168.1.7"}, "DISPATCH_DEVICE_HOST=192.168.1.7: under --dev only loopback"),
        ({"dev": True, "http_host": "example.org"}, "under --dev only loopback"),
        ({"htp_port": 1}, "DISPATCH_HTP_PORT: "),
        ({"push_fcm_url": "fcm.googleapis.com"}, "DISPATCH_PUSH_FCM_URL: a URL begins with https://"),
        ({"push_apns_file": "x.p8", "push_apns_team": "T"}, "needs DISPATCH_PUSH_APNS_KEY, DISPATCH_PUSH_APNS_TOPIC beside it"),
    ],
)
def test_what_is_wrong_is_refused_with_the_name_of_the_variable(chosen: dict[str, object], complaint: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(**chosen)
    assert complaint in str(caught.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        read(http_port=-1, device_port=-1)
    assert [line.partition(":")[0] for line in str(caught.value).splitlines()] == ["DISPATCH_HTTP_PORT", "DISPATCH_DEVICE_PORT"]


def test_the_password_in_a_wrong_url_is_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        read(redis_url="http://:secret@store")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("example.org", False),
    ],
)
def test_loopback_is_what_only_this_machine_reaches(host: str, loopback: bool) -> None:
    assert settings.is_loopback(host) is loopback


def test_the_engines_own_page_may_open_a_device_socket_in_development_alone() -> None:
    chosen = {"http_port": 9000, "origins": "https://pro.example"}
    assert read(**chosen).browser_origins == ("https://pro.example",)
    own = ("http://127.0.0.1:9000", "http://localhost:9000")
    assert read(dev=True, **chosen).browser_origins == ("https://pro.example", *own)


def test_under_dev_any_clock_speed_goes_on_loopback() -> None:
    assert read(dev=True, clock_speed=60).clock_speed == 60


def test_a_free_port_is_another_one_each_time_and_none_that_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "FREE_PORTS", range(31_000, 31_004))
    settings._ports_of.cache_clear()
    with socket.create_server(("127.0.0.1", 31_002)):
        given = [settings.free_port() for _ in range(3)]
    settings._ports_of.cache_clear()
    assert sorted(given) == [31_000, 31_001, 31_003]


def test_when_all_ports_are_taken_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "FREE_PORTS", range(31_004, 31_005))
    settings._ports_of.cache_clear()
    with socket.create_server(("127.0.0.1", 31_004)), pytest.raises(ConfigError, match="between 31004 and 31004"):
        settings.free_port()
    settings._ports_of.cache_clear()

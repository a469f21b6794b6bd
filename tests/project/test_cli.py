"""The command ``dispatch``: what it says and how it ends, with a real store of its own."""

import dataclasses
import hashlib
import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from dispatch import cli, settings
from dispatch.demo.options import Options
from dispatch.settings import Settings
from dispatch.store.embedded import Embedded
from dispatch.store.keys import API_KEYS

ROOT = Path(__file__).parents[2]

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], short_dir: Path) -> Run:
    """Runs the command in this process; answers its exit code and all that it printed."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"DISPATCH_{name.upper()}", raising=False)
    monkeypatch.setenv("DISPATCH_DATA_DIR", str(short_dir / "data"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(cli.logs, "configure", lambda *_: None)  # logging belongs to the test runner here

    def run(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["dispatch", *words])
        code = 0
        try:
            cli.main()
        except SystemExit as end:
            code = int(end.code or 0)
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def test_it_is_a_module_that_can_be_run() -> None:
    done = subprocess.run([sys.executable, "-m", "dispatch", "--version"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip()


@pytest.mark.parametrize(
    ("words", "environment", "complaint"),
    [
        (["serve", "--dev"], {"DISPATCH_HTTP_HOST": "0.0.0.0"}, "under --dev only loopback may be bound"),
        (["serve", "--dev"], {"DISPATCH_DEVICE_HOST": "192.168.0.1"}, "under --dev only loopback may be bound"),
        (["serve"], {"DISPATCH_CLOCK_SPEED": "60"}, "only 1 is allowed without --dev"),
        (["worker"], {}, "set DISPATCH_REDIS_URL, or start everything with `dispatch serve`"),
        (["api"], {}, "set DISPATCH_REDIS_URL, or start everything with `dispatch serve`"),
        (["gateway"], {"DISPATCH_REDIS_URL": "http://x"}, "DISPATCH_REDIS_URL: a store URL begins with"),
        (["key", "new", "--role", "king", "--market", "paris"], {}, "no such role: king; there are booking, metrics, ops:agent"),
        (["serve", "--fast"], {}, "No such option"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence_and_ends_with_2(
    run: Run, monkeypatch: pytest.MonkeyPatch, words: list[str], environment: dict[str, str], complaint: str
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    code, printed = run(*words)
    assert (code, complaint in printed, "Traceback" in printed) == (2, True, False), printed


def test_a_store_that_does_not_answer_is_told_and_ends_with_1(run: Run, monkeypatch: pytest.MonkeyPatch, short_dir: Path) -> None:
    monkeypatch.setenv("DISPATCH_REDIS_URL", f"unix://{short_dir}/nobody")
    code, printed = run("key", "list")
    assert (code, "does not answer" in printed, "Traceback" in printed) == (1, True, False)


def test_a_key_is_shown_once_and_only_its_digest_is_kept(run: Run, short_dir: Path) -> None:
    code, printed = run("key", "new", "--role", "booking", "--role", "metrics", "--market", "paris", "--name", "the shop")
    secret = next(line for line in printed.splitlines() if line.startswith("dsp_"))
    digest = hashlib.sha256(secret.encode()).hexdigest()
    code_list, listed = run("key", "list")
    assert (code, code_list) == (0, 0)
    assert "the shop" in listed
    assert "booking, metrics" in listed
    assert secret not in listed
    with Embedded(short_dir / "data") as server, Redis.from_url(server.url) as client:
        kept = client.hgetall(API_KEYS)
    assert list(kept) == [digest.encode()]
    assert secret.encode() not in b"".join(kept.values())
    assert b'"roles":["booking","metrics"],"markets":["paris"]' in kept[digest.encode()]


def test_a_short_command_uses_the_store_of_the_engine_that_runs_on_the_folder(run: Run, short_dir: Path) -> None:
    with Embedded(short_dir / "data") as server, Redis.from_url(server.url) as client:
        assert run("key", "new", "--role", "booking", "--market", "*")[0] == 0
        assert client.hlen(API_KEYS) == 1
        assert server.alive


def test_install_makes_the_engines_user_and_says_how_to_keep_him(run: Run, monkeypatch: pytest.MonkeyPatch, short_dir: Path) -> None:
    with Embedded(short_dir / "store") as server, Redis.from_url(server.url) as admin:
        monkeypatch.setenv("DISPATCH_REDIS_URL", server.url)
        code, printed = run("install", "--user", "engine", "--prune")
        assert code == 0
        password = next(line.removeprefix("password: ") for line in printed.splitlines() if line.startswith("password: "))
        assert admin.function_list()
        assert "\nuser engine reset on +" in printed
        with Redis.from_url(server.url, username="engine", password=password) as engine:
            assert engine.ping()
            with pytest.raises(NoPermissionError):
                engine.flushall()


def test_install_twice_changes_nothing_and_prunes_what_is_old(run: Run, monkeypatch: pytest.MonkeyPatch, short_dir: Path) -> None:
    with Embedded(short_dir / "store") as server, Redis.from_url(server.url) as admin:
        monkeypatch.setenv("DISPATCH_REDIS_URL", server.url)
        admin.function_load("#!lua name=dispatch_old\nredis.register_function('accept_old', function() return 1 end)")
        first, second = run("install"), run("install", "--prune")
        assert (first[0], second[0]) == (0, 0)
        assert "removed: dispatch_old" in second[1]
        assert len(admin.function_list()) == 1


def test_keys_of_web_push_are_made_once_and_their_public_part_is_printed(run: Run, short_dir: Path) -> None:
    code, printed = run("vapid", "--subject", "mailto:ops@example.org")
    kept = json.loads((short_dir / "data" / "vapid.json").read_text())
    assert (code, kept["subject"]) == (0, "mailto:ops@example.org")
    assert kept["public_key"] in printed
    assert kept["private_key"] not in printed
    code, printed = run("vapid", "--subject", "mailto:ops@example.org")
    assert (code, "is there already" in printed) == (2, True)
    assert json.loads((short_dir / "data" / "vapid.json").read_text()) == kept
    assert run("vapid", "--subject", "mailto:ops@example.org", "--file", str(short_dir / "other.json"))[0] == 0
    code, printed = run("vapid", "--subject", "somebody", "--file", str(short_dir / "third.json"))
    assert (code, "mailto:somebody@example.com" in printed, (short_dir / "third.json").exists()) == (2, True, False)


def test_the_reference_of_settings_is_printed(run: Run) -> None:
    assert run("settings-docs") == (0, settings.reference())


def test_port_0_becomes_a_free_port_before_anything_starts(run: Run) -> None:
    chosen = cli._with_ports(settings.read(http_port=0, device_port=0))
    assert {chosen.http_port, chosen.device_port} <= set(settings.FREE_PORTS)
    assert chosen.device_port != chosen.http_port
    assert cli._with_ports(settings.read(http_port=8080, device_port=8081)) == settings.read()


@pytest.mark.parametrize(("chosen", "drain_s"), [({}, 0), ({"drain_s": 5.0}, 5)])
def test_under_serve_nobody_drains_unless_it_is_asked_for(chosen: dict[str, float], drain_s: float) -> None:
    ending = cli._ending_together(settings.read(**chosen))
    assert ending.drain_s == drain_s
    assert float(cli._environment(ending)["DISPATCH_DRAIN_S"]) == drain_s
    assert settings.read().drain_s == 20


def test_a_demo_has_exactly_the_options_of_its_settings() -> None:
    offered = inspect.signature(cli.demo).parameters
    assert {name: parameter.default for name, parameter in offered.items()} == {
        field.name: field.default for field in dataclasses.fields(Options)
    }


def test_a_demo_is_run_with_what_was_chosen_and_its_verdict_is_the_exit_code(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Options] = []
    monkeypatch.setattr("dispatch.demo.main", lambda options: seen.append(options) or 1)
    assert run("demo", "--speed", "10", "--headless", "--start-hour", "-1", "--seconds", "5")[0] == 1
    assert seen == [Options(speed=10, headless=True, start_hour=None, seconds=5)]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://dispatch:secret@store:6379/0", "redis://store:6379/0"),
        ("redis://:se@cret@store", "redis://store"),
        ("unix:///run/valkey.sock", "unix:///run/valkey.sock"),
    ],
)
def test_the_password_of_the_store_is_not_printed(url: str, shown: str) -> None:
    assert cli._without_password(url) == shown

"""Webhooks go to the public internet only, whatever a name or an address looks like."""

from pathlib import Path

import pytest

from dispatch.model import WebhookTarget
from dispatch.webhooks import BadSecret, BadUrl, Outcome, PrivateAddress, Verdict, addresses, check_target, client, deliver
from dispatch.webhooks.addresses import is_public, refuse_private
from tests.certificates import self_signed, server_side
from tests.webhooks.receiver import SECRET, Receiver, receiving

PRIVATE = (
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.0.192",
    "100.100.100.200",
    "168.63.129.16",
    "::",
    "::1",
    "fe80::1%eth0",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "2002:7f00:0001::",
    "64:ff9b::127.0.0.1",
    "64:ff9b:1::1",
    "2001:db8::1",
)
PUBLIC = ("1.1.1.1", "8.8.8.8", "93.184.216.34", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:0808:0808::1")


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_known_for_it(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f.1", "::1"])
async def test_however_loopback_is_written_it_is_refused(host: str) -> None:
    with pytest.raises(PrivateAddress):
        await refuse_private(host, 80)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_private_target_gets_nothing(receiver: Receiver, host: str) -> None:
    async with client(allow_private=False) as http:
        assert await deliver(http, receiver.target(host), "msg_1", 1, b"{}") == Outcome(Verdict.RETRY, None, "private_address")
    assert receiver.connections == 0


async def test_a_name_with_one_private_address_among_public_ones_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "resolve", _answers([["8.8.8.8", "10.0.0.1"]]))
    with pytest.raises(PrivateAddress):
        await refuse_private("mixed.example", 443)


async def test_the_connection_goes_to_the_address_that_was_looked_at(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    """A name that answers another address the second time is never asked a second time."""
    looked: list[str] = []

    def public(address: str) -> bool:
        looked.append(address)
        return True

    monkeypatch.setattr(addresses, "is_public", public)
    monkeypatch.setattr(addresses, "resolve", _answers([["127.0.0.1"], ["127.0.0.9"]]))
    async with client(allow_private=False) as http:
        assert (await deliver(http, receiver.target("rebinding.example"), "msg_1", 1, b"{}")).verdict is Verdict.DELIVERED
    assert set(looked) == {"127.0.0.1"}


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"])
async def test_an_address_in_the_url_is_looked_at_when_it_is_connected_to(receiver: Receiver, host: str) -> None:
    async with client(allow_private=False) as http:
        outcome = await deliver(http, WebhookTarget(url=f"http://{host}:1/", secret=SECRET), "msg_1", 1, b"{}")
    assert outcome == Outcome(Verdict.RETRY, None, "private_address")


async def test_when_the_first_address_does_not_answer_the_next_is_tried(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    monkeypatch.setattr(addresses, "is_public", lambda address: True)
    monkeypatch.setattr(addresses, "resolve", _answers([["127.0.0.2", "127.0.0.1"]]))
    async with client(allow_private=False) as http:
        assert (await deliver(http, receiver.target("two.example"), "msg_1", 1, b"{}")).verdict is Verdict.DELIVERED


@pytest.mark.parametrize(("host", "outcome"), [("hooks.example", "ok"), ("other.example", "ConnectError")])
async def test_the_certificate_is_checked_against_the_name_and_not_the_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, host: str, outcome: str
) -> None:
    monkeypatch.setattr(addresses, "is_public", lambda address: True)
    monkeypatch.setattr(addresses, "resolve", _answers([["127.0.0.1"]]))
    certificate, key = self_signed("hooks.example", tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with receiving(server_side(certificate, key)) as receiver, client(allow_private=False) as http:
        assert (await deliver(http, receiver.target(host, "https"), "msg_1", 1, b"{}")).detail == outcome


def _answers(turns: list[list[str]]) -> object:
    left = iter(turns)

    async def resolve(host: str, port: int) -> list[str]:
        return next(left)

    return resolve


@pytest.mark.parametrize(
    ("url", "secret", "refusal"),
    [
        ("http://127.0.0.1/hook", SECRET, PrivateAddress),
        ("https://localhost:8443/", SECRET, PrivateAddress),
        ("http://[::ffff:10.0.0.1]/", SECRET, PrivateAddress),
        ("https://[::1", SECRET, BadUrl),
        ("https://8.8.8.8:99999/", SECRET, BadUrl),
        ("https://", SECRET, BadUrl),
        ("https://8.8.8.8/", "whsec_c2hvcnQ=", BadSecret),
    ],
)
async def test_a_target_is_refused_before_it_is_stored(url: str, secret: str, refusal: type[ValueError]) -> None:
    with pytest.raises(refusal):
        await check_target(WebhookTarget(url=url, secret=secret), allow_private=False)


@pytest.mark.parametrize("url", ["https://8.8.8.8/hook", "https://not-yet-there.invalid/hook"])
async def test_a_public_target_or_one_without_an_address_yet_may_be_stored(url: str) -> None:
    await check_target(WebhookTarget(url=url, secret=SECRET), allow_private=False)

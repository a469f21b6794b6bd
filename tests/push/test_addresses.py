"""What devices call their push address, and what is told to those whose address cannot be used."""

import json

import pytest

from dispatch.messages import PushAddress
from dispatch.push import unfit
from tests.push.browser import Browser

GOOD = json.loads(Browser("https://push.example/abc").token)


def subscribed(**changes: object) -> str:
    return json.dumps(GOOD | changes)


def keys(**changes: str) -> str:
    return json.dumps(GOOD | {"keys": GOOD["keys"] | changes})


@pytest.mark.parametrize(
    ("kind", "token"),
    [
        ("webpush", subscribed()),
        ("webpush", subscribed(endpoint="http://127.0.0.1:9000/x")),
        ("webpush", subscribed(endpoint="http://localhost/x")),
        ("webpush", keys(auth=GOOD["keys"]["auth"] + "==")),
        ("fcm", "bk3RNwTe3H0:CI2k_HHwgIpoDKCIZvvDMExUdFQ3P1"),
        ("apns", "00fc13adff785122b4ad28809a3420982341241421348097878e577c991de8f0"),
        ("apns", "AB" * 80),
    ],
)
def test_an_address_that_can_be_used_is_taken(kind: str, token: str) -> None:
    assert unfit(PushAddress(kind=kind, token=token)) is None


@pytest.mark.parametrize(
    ("kind", "token", "complaint"),
    [
        ("carrier-pigeon", "coo", "one of webpush, fcm, apns"),
        ("webpush", "hello", "a subscription as JSON"),
        ("webpush", "[]", "a subscription as JSON"),
        ("webpush", subscribed(keys=None), "a subscription as JSON"),
        ("webpush", subscribed(endpoint="http://push.example/x"), "an https URL"),
        ("webpush", subscribed(endpoint="https://"), "an https URL"),
        ("webpush", subscribed(endpoint="https://push.example@other.example/"), "an https URL"),
        ("webpush", subscribed(endpoint="ftp://push.example"), "an https URL"),
        ("webpush", subscribed(endpoint="https://push.example/\r\nx"), "an https URL"),
        ("webpush", subscribed(endpoint="https://[push.example"), ""),
        ("webpush", keys(p256dh="BA"), "65 bytes"),
        ("webpush", keys(p256dh="A" * 87), "65 bytes"),
        ("webpush", keys(auth="AA"), "16 bytes"),
        ("webpush", keys(auth="?" * 22), "16 bytes"),
        ("fcm", "two words", "registration token"),
        ("fcm", "a\n", "registration token"),
        ("apns", "not hex", "in hex"),
        ("apns", "00fc1", "in hex"),
        ("apns", "../../x", "in hex"),
    ],
)
def test_another_one_is_told_what_would_be_right(kind: str, token: str, complaint: str) -> None:
    said = unfit(PushAddress(kind=kind, token=token))
    assert said is not None
    assert complaint in said

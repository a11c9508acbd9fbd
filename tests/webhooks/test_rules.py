"""Signing by the specification, when a message is tried again, and where it may go."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import orjson
import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st
from openai import OpenAI

from core.errors import Invalid
from core.webhooks import rules
from core.webhooks.rules import Event, State

# libraries/javascript/src/webhook.test.ts of github.com/standard-webhooks/standard-webhooks, "sign function works"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE, PAYLOAD = "msg_p5jXN8AQM9LWM0D4loKWxJek", b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
SIGNED_AT = datetime.fromtimestamp(1614265330, UTC)
OTHER = rules.secret_of(b"o" * 32)


def test_the_signature_is_the_one_of_the_specifications_own_libraries() -> None:
    assert rules.sign(SECRET, MESSAGE, 1614265330, PAYLOAD) == SIGNATURE


def test_the_official_library_accepts_what_is_sent() -> None:
    sent = dict(rules.headers([SECRET], MESSAGE, datetime.now(UTC), PAYLOAD))
    assert standardwebhooks.Webhook(SECRET).verify(PAYLOAD, sent) == {"test": 2432232314}
    with pytest.raises(standardwebhooks.WebhookVerificationError):
        standardwebhooks.Webhook(SECRET).verify(PAYLOAD + b" ", sent)


def test_what_the_official_library_signs_is_accepted() -> None:
    at = datetime.now(UTC)
    signature = standardwebhooks.Webhook(SECRET).sign(MESSAGE, at, PAYLOAD.decode())
    told = {"Webhook-Id": MESSAGE, "Webhook-Timestamp": str(int(at.timestamp())), "Webhook-Signature": signature}
    assert rules.verify(told, PAYLOAD, [SECRET], at=at) == MESSAGE


def test_the_official_openai_client_reads_an_end_as_one_of_its_own_events() -> None:
    at = datetime.now(UTC)
    body = rules.body(Event.COMPLETED, "evt_1", {"id": "resp_1"}, at)
    client = OpenAI(api_key="none", webhook_secret=SECRET)
    event = client.webhooks.unwrap(body, dict(rules.headers([SECRET], MESSAGE, at, body)))
    assert (event.type, event.id, event.data.id) == ("response.completed", "evt_1", "resp_1")  # type: ignore[union-attr]


@pytest.mark.parametrize("event", rules.CHOICES)
def test_every_event_has_the_specifications_shape(event: Event) -> None:
    told = orjson.loads(rules.body(event, "evt_1", {"id": "resp_1"}, SIGNED_AT))
    assert told["timestamp"] == "2021-02-25T15:02:10Z"
    assert (told["type"], told["data"], told["created_at"]) == (event, {"id": "resp_1"}, 1614265330)


def test_during_a_rotation_the_old_secret_and_the_new_one_both_verify() -> None:
    sent = dict(rules.headers([OTHER, SECRET], MESSAGE, SIGNED_AT, PAYLOAD))
    assert sent["webhook-signature"].count("v1,") == 2
    for secret in (OTHER, SECRET):
        assert rules.verify(sent, PAYLOAD, [secret], at=SIGNED_AT) == MESSAGE


@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_replayed_message_is_refused(seconds: int) -> None:
    sent = dict(rules.headers([SECRET], MESSAGE, SIGNED_AT, PAYLOAD))
    with pytest.raises(Invalid, match="replayed"):
        rules.verify(sent, PAYLOAD, [SECRET], at=SIGNED_AT + timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "changed",
    [
        {"webhook-id": "msg_other"},
        {"webhook-id": ""},
        {"webhook-timestamp": "1614265331"},
        {"webhook-timestamp": "now"},
        {"webhook-timestamp": "-1"},
        {"webhook-signature": ""},
        {"webhook-signature": "v1,"},
        {"webhook-signature": "v1a" + SIGNATURE[2:]},
        {"webhook-signature": SIGNATURE[:-2]},
        {"webhook-signature": "ü"},
    ],
)
def test_a_message_with_anything_changed_is_refused(changed: dict[str, str]) -> None:
    sent = dict(rules.headers([SECRET], MESSAGE, SIGNED_AT, PAYLOAD)) | changed
    with pytest.raises(Invalid):
        rules.verify(sent, PAYLOAD, [SECRET], at=SIGNED_AT)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!!", "whsec_" + base64.b64encode(b"x" * 23).decode()])
def test_a_secret_that_is_none_or_too_short_signs_nothing(secret: str) -> None:
    with pytest.raises(Invalid, match="signing secret"):
        rules.sign(secret, MESSAGE, 1, PAYLOAD)


def test_tries_follow_the_specifications_schedule_and_end() -> None:
    waits = [rules.after(tries, status=500).wait_s for tries in range(1, 11)]
    assert waits == [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400, None]
    assert rules.after(10, status=500).state is State.GIVEN_UP
    total = timedelta(seconds=sum(wait for wait in waits if wait))
    assert total == timedelta(hours=75, minutes=35, seconds=5)  # the last row of the specification's table


@given(st.integers(1, 9), st.floats(0, 1))
def test_jitter_spreads_tries_by_a_fifth_at_most_and_never_hurries_them(tries: int, dice: float) -> None:
    wait = rules.after(tries, status=None, dice=dice).wait_s
    assert wait is not None
    assert rules.WAITS_S[tries - 1] <= wait <= rules.WAITS_S[tries - 1] * 1.2


@pytest.mark.parametrize(
    ("status", "state"),
    [(200, State.DELIVERED), (204, State.DELIVERED), (299, State.DELIVERED), (410, State.GONE)]
    + [(status, State.WAITING) for status in (301, 302, 400, 401, 404, 429, 500, 502, 504, None)],
)
def test_only_success_and_gone_end_a_message_early(status: int | None, state: State) -> None:
    assert rules.after(1, status=status).state is state


def test_a_receiver_that_asks_for_patience_gets_it_up_to_a_day() -> None:
    assert rules.after(1, status=429, retry_after_s=120).wait_s == 120
    assert rules.after(2, status=503, retry_after_s=1).wait_s == 300
    assert rules.after(1, status=503, retry_after_s=1e9).wait_s == 86_400


NOWHERE = [
    "0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.1.1", "224.0.0.1", "239.255.255.250", "240.0.0.1",
    "255.255.255.255", "100.100.100.200", "::", "fe80::1", "fe80::1%eth0", "ff02::1", "fd00:ec2::254", "fec0::1",
    "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "not an address", "",
]  # fmt: skip
INSIDE = [
    "127.0.0.1", "127.8.9.1", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "100.64.0.1", "::1",
    "fd12:3456::1", "::ffff:10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2002:c0a8:101::1",
]  # fmt: skip
PUBLIC = ["1.1.1.1", "8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::808:808"]


@pytest.mark.parametrize("ip", NOWHERE)
def test_metadata_multicast_and_no_address_at_all_are_never_reached(ip: str) -> None:
    assert not rules.may_reach(ip)
    assert not rules.may_reach(ip, allows_private=True)


@pytest.mark.parametrize("ip", INSIDE)
def test_this_machine_and_private_networks_are_reached_only_where_allowed(ip: str) -> None:
    assert not rules.may_reach(ip)
    assert rules.may_reach(ip, allows_private=True)


@pytest.mark.parametrize("ip", PUBLIC)
def test_the_public_is_reached(ip: str) -> None:
    assert rules.may_reach(ip)


@pytest.mark.parametrize(
    "url",
    [
        "", "example.com", "ftp://example.com", "file:///etc/passwd", "javascript:alert(1)", "https://", "http://[::1",
        "https://user:pass@example.com/", "https://user@example.com/", "https://example.com/#part",
        "https://example.com:0/", "https://example.com:99999/", "https://exa mple.com/", "https://example.com/\r\nX: y",
        "http://169.254.169.254/latest/meta-data", "http://metadata.google.internal/", "http://0xa9fea9fe/",
        "http://2852039166/", "http://0.0.0.0/", "http://[::ffff:169.254.169.254]/", "http://239.1.1.1/",
        "https://example.com/" + "x" * 1000,
    ],
)  # fmt: skip
def test_what_is_no_address_of_a_receiver_is_refused_even_where_private_ones_are_allowed(url: str) -> None:
    with pytest.raises(Invalid):
        rules.check_url(url, allows_private=True)


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/", "http://localhost:8080/x", "http://app.localhost/", "http://127.0.0.1/", "http://2130706433/",
        "http://0x7f.1/", "http://[::1]:9000/", "http://10.1.2.3/", "http://192.168.0.9/", "http://100.64.0.1/",
        "http://db/", "http://printer.local/", "http://api.internal/", "http://[fd12::1]/",
    ],
)  # fmt: skip
def test_a_private_address_is_refused_unless_allowed(url: str) -> None:
    with pytest.raises(Invalid, match="private network"):
        rules.check_url(url, allows_private=False)
    assert rules.check_url(url, allows_private=True)


def test_an_address_is_kept_with_its_query_and_shown_without() -> None:
    url = rules.check_url(" https://Example.com:8443/hooks?token=abc ", allows_private=False)
    assert url == "https://example.com:8443/hooks?token=abc"
    assert rules.shown_url(url) == "https://example.com:8443/hooks"
    assert rules.check_url("https://example.com", allows_private=False) == "https://example.com/"

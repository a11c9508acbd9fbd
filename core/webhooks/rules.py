"""What telling an application means: how a message is signed, when it is tried again, where it may go.

Signing, retries and statuses follow Standard Webhooks 1.0.0 (standardwebhooks.com, spec/standard-webhooks.md).
Delivery is at least once: a receiver keeps the `webhook-id` of what it has handled and skips a repetition. No order
is promised.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import orjson

from core import clock
from core.catalog import address
from core.errors import Invalid
from core.wire.places import ip_of, is_metadata

PREFIX = "whsec_"
KEY_BYTES = 32
TOLERANCE_S = 300
BEFORE_S = 24 * 3600
"""After a rotation the secret before it signs too for so long, so that a receiver misses nothing."""
WAITS_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""The specification's schedule: after the first try at once, so long after each failed one; 75 hours in all."""
JITTER = 0.2
LONGEST_WAIT_S = 86_400
LONGEST_PAYLOAD = 256 * 1024
_SHARED = ipaddress.ip_network("100.64.0.0/10")
_NOWHERE = ipaddress.ip_network("0.0.0.0/8")
_SITE = ipaddress.ip_network("fec0::/10")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

IP = ipaddress.IPv4Address | ipaddress.IPv6Address


class Event(StrEnum):
    """What can be announced: the ends of a response, of a live test and of an arm, and what only tests the way."""

    COMPLETED = "response.completed"
    INCOMPLETE = "response.incomplete"
    CANCELLED = "response.cancelled"
    FAILED = "response.failed"
    TEST_ENDED = "live_test.ended"
    ARM_CLOSED = "live_test.arm_closed"
    TEST = "webhook.test"


CHOICES = tuple(event for event in Event if event is not Event.TEST)


class State(StrEnum):
    """Where a delivery stands. Gone: the receiver said 410, it wants no more."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GIVEN_UP = "given up"
    GONE = "gone"


# Signing


def secret_of(key: bytes) -> str:
    """A signing key as it is shown: `whsec_` and base64."""
    return PREFIX + base64.b64encode(key).decode()


def key_of(secret: str) -> bytes:
    """The key behind a shown secret. Raises: Invalid unless it has 24 to 64 bytes."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not 24 <= len(key) <= 64:
        raise Invalid("This is not a signing secret.", code="invalid_secret", hint="One looks like whsec_ and base64.")
    return key


def sign(secret: str, message_id: str, timestamp: int, payload: bytes) -> str:
    """`v1,` and the base64 HMAC-SHA256 of "id.timestamp.payload"."""
    digest = hmac.digest(key_of(secret), b"%s.%d." % (message_id.encode(), timestamp) + payload, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def headers(secrets: Sequence[str], message_id: str, at: datetime, payload: bytes) -> list[tuple[str, str]]:
    """The three headers of a message; one signature per secret."""
    timestamp = _seconds(at)
    return [
        ("webhook-id", message_id),
        ("webhook-timestamp", str(timestamp)),
        ("webhook-signature", " ".join(sign(secret, message_id, timestamp, payload) for secret in secrets)),
    ]


def verify(
    given: Mapping[str, str], payload: bytes, secrets: Sequence[str], *, at: datetime, tolerance_s: int = TOLERANCE_S
) -> str:
    """The id of a message that is what it says it is. Raises: Invalid when it is not, or is too old or too new."""
    found = {name.lower(): value for name, value in given.items()}
    message_id, moment = found.get("webhook-id", ""), found.get("webhook-timestamp", "")
    if not message_id or not moment or not found.get("webhook-signature"):
        raise _unsigned("The message lacks one of the headers webhook-id, webhook-timestamp and webhook-signature.")
    if not (moment.isascii() and moment.isdigit() and len(moment) <= 12):
        raise _unsigned("The message's timestamp is not a number of seconds.")
    if abs(_seconds(at) - int(moment)) > tolerance_s:
        raise _unsigned(f"The message is more than {tolerance_s} seconds old or ahead: it may have been replayed.")
    signatures = [one.encode() for one in found["webhook-signature"].split()]
    is_ours = False
    for secret in secrets:
        expected = sign(secret, message_id, int(moment), payload).encode()
        for signature in signatures:
            is_ours |= hmac.compare_digest(expected, signature)
    if not is_ours:
        raise _unsigned("None of the message's signatures is by this secret.")
    return message_id


def _unsigned(message: str) -> Invalid:
    return Invalid(message, code="invalid_signature", hint="Verify the bytes of the body as they came, unparsed.")


def _seconds(at: datetime) -> int:
    return clock.micros(at) // 1_000_000


def body(event: Event, event_id: str, data: Mapping[str, Any], at: datetime) -> bytes:
    """What is sent: the specification's `type`, `timestamp` and `data` in OpenAI's envelope (`id`, `created_at`).

    Raises: Invalid when it is larger than receivers take.
    """
    told = {
        "id": event_id,
        "object": "event",
        "type": event,
        "created_at": _seconds(at),
        "timestamp": at.isoformat().replace("+00:00", "Z"),
        "data": dict(data),
    }
    packed = orjson.dumps(told)
    if len(packed) > LONGEST_PAYLOAD:
        raise Invalid(
            f"The message is larger than {LONGEST_PAYLOAD // 1024} KB.",
            code="payload_too_large",
            hint="Send the id, and let the receiver ask for the rest.",
        )
    return packed


# Trying again


@dataclass(frozen=True, slots=True)
class Next:
    """What follows a try: the state, and in how many seconds the next one is due (None: never)."""

    state: State
    wait_s: float | None = None


def after(tries: int, *, status: int | None, retry_after_s: float | None = None, dice: float = 0.0) -> Next:
    """What follows try number `tries`. `status` None: no answer; `dice` is 0…1 and spreads the tries out.

    2xx is success, 410 ends the webhook, anything else is tried again; a redirect is not followed. A receiver that
    asks for patience (`Retry-After`) gets it, up to a day.
    """
    if status is not None and 200 <= status < 300:
        return Next(State.DELIVERED)
    if status == 410:
        return Next(State.GONE)
    if tries > len(WAITS_S):
        return Next(State.GIVEN_UP)
    wait_s = WAITS_S[tries - 1] * (1 + JITTER * dice)
    if retry_after_s is not None:
        wait_s = max(wait_s, min(retry_after_s, LONGEST_WAIT_S))
    return Next(State.WAITING, wait_s)


# Where messages may go


def check_url(text: str, *, allows_private: bool) -> str:
    """A receiver's address, tidied. What its name means is checked again at every connection.

    Raises: Invalid for anything but a plain http or https address, and for a place where nothing may be sent.
    """
    text = text.strip()
    if any(sign.isspace() or not sign.isprintable() for sign in text) or len(text) > 1_000:
        raise _refused("The address has spaces or is too long.", "Paste it as one line.")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise _refused("This is not an address.", "Use one such as https://example.com/hooks.") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise _refused("This is not an http or https address.", "Begin with https://.")
    if parts.username is not None or parts.password is not None:
        raise _refused("The address carries a user name or password.", "Leave it out: messages are signed.")
    if parts.fragment or "#" in text or port == 0:
        raise _refused("The address has a part that is never sent.", "Leave out everything from # on, and port 0.")
    ip = ip_of(host)
    if is_metadata(host) or (ip is not None and not may_reach(str(ip), allows_private=True)):
        raise _refused("Nothing may be sent to this address.", "Give the address of the application to be told.")
    if not allows_private and (address.is_local(text) or (ip is not None and not may_reach(str(ip)))):
        raise _refused(
            "This address is on this machine or a private network.",
            "Give a public one, or say of this webhook that it is inside your own network.",
        )
    shown = f"[{host}]" if ":" in host else host
    return urlunsplit((parts.scheme, f"{shown}:{port}" if port else shown, parts.path or "/", parts.query, ""))


def is_forbidden(text: str, *, allows_private: bool = False) -> bool:
    """Whether no message may go to this IP address (see `may_reach`)."""
    return not may_reach(text, allows_private=allows_private)


def may_reach(text: str, *, allows_private: bool = False) -> bool:
    """Whether a message may go to this IP address.

    The addresses of cloud metadata, link-local and multicast ones, and those that name no machine, are refused
    always; those of this machine and of private networks unless allowed. An IPv6 address that carries an IPv4 one
    is as good as that one.
    """
    try:
        ip = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return all(_may(one, allows_private=allows_private) for one in _carried(ip))


def _may(ip: IP, *, allows_private: bool) -> bool:
    if is_metadata(str(ip)) or ip.is_multicast or ip.is_unspecified or ip.is_link_local:
        return False
    if (ip.is_reserved and not ip.is_loopback) or ip in _NOWHERE or ip in _SITE:
        return False
    return allows_private if ip.is_loopback or ip.is_private or ip in _SHARED else ip.is_global


def _carried(ip: IP) -> Collection[IP]:
    """The address, and the IPv4 addresses packed into it: mapped, 6to4, Teredo, NAT64."""
    if ip.version == 4:
        return (ip,)
    if ip.ipv4_mapped is not None:
        return (ip.ipv4_mapped,)
    if ip in _NAT64:
        return (ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF),)
    if ip.sixtofour is not None:
        return (ip.sixtofour,)
    if ip.teredo is not None:
        return ip.teredo
    return (ip,)


def shown_url(url: str) -> str:
    """An address without its query, which may hold a token: for the audit trail and lists."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path, "", ""))


def _refused(message: str, hint: str) -> Invalid:
    return Invalid(message, code="invalid_url", param="url", hint=hint)

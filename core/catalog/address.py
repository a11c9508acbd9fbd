"""Names and addresses a person may give a backend: checked before anything is sent there."""

from __future__ import annotations

import functools
import re
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from core.errors import Invalid
from core.wire.places import ip_of, is_metadata

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*(?:KEY|TOKEN)")
OURS = ("GREENROOM_", "STREAMLIT_")

_SECRET = re.compile(r"key|token|secret|signature|^sig$|password|auth|credential", re.IGNORECASE)
_NO_VERSION_IN_PATH = frozenset({"api.perplexity.ai"})
_LOCAL_ENDINGS = (".local", ".lan", ".internal", ".home.arpa", ".localhost")


def check_name(name: str, what: str) -> str:
    """A backend's or alias' name: letters, digits, `.`, `_`, `-`; no slash, which parts backend from model."""
    if not NAME.fullmatch(name):
        raise Invalid(
            f"{name!r} cannot be the name of {what}." if name else f"A name for {what} is missing.",
            code="invalid_name",
            param="name",
            hint="Use up to 64 letters, digits, dots, dashes and underscores, beginning with a letter or digit.",
        )
    return name


def check_model(name: str) -> str:
    """A model's name as the backend spells it; slashes and colons are common, spaces and control signs are not."""
    if not is_model(name):
        raise Invalid(
            "A model's name has 1 to 200 printable characters without spaces.",
            code="invalid_name",
            param="model",
            hint="Copy it exactly as the backend lists it.",
        )
    return name


def is_model(name: str) -> bool:
    """Whether a text can be a model's name: it is recorded, indexed and sent in a header as it is."""
    return 0 < len(name) <= 200 and all(sign.isprintable() and not sign.isspace() for sign in name)


def check_variable(name: str) -> str:
    """The name of an environment variable that may be sent to a backend as its key."""
    if not VARIABLE.fullmatch(name) or name.startswith(OURS):
        raise Invalid(
            f"{name!r} cannot name the variable of a backend's key.",
            code="invalid_variable",
            param="key_env",
            hint="Use capitals, digits and underscores, ending in KEY or TOKEN, such as OPENAI_API_KEY.",
        )
    return name


def _refused(message: str, hint: str) -> Invalid:
    return Invalid(message, code="invalid_base_url", param="base_url", hint=hint)


def check_base_url(text: str) -> str:
    """A backend's address, tidied: no slash at the end, `/v1` where only a host was given, a query kept.

    Raises: Invalid for anything but a plain http or https address, for a query that carries a key, and for a
    cloud's metadata service.
    """
    text = text.strip()
    if any(sign.isspace() or not sign.isprintable() for sign in text) or len(text) > 500:
        raise _refused(
            "The address has spaces or is too long.", "Paste it as one line, such as https://api.openai.com/v1."
        )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise _refused("This is not an address.", "Use one such as https://api.openai.com/v1.") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise _refused(
            "This is not an http or https address.",
            "Begin with https://, or http:// for a server on this machine.",
        )
    if parts.username is not None or parts.password is not None:
        raise _refused("The address carries a user name or password.", "Put the key in its own field.")
    if "#" in text:
        raise _refused("The address ends in a fragment.", "Leave out everything from # on.")
    if any(_SECRET.search(name) for name, _ in parse_qsl(parts.query, keep_blank_values=True)):
        raise _refused("The address carries a key in its query.", "Put the key in its own field.")
    if is_metadata(parts.hostname):
        raise _refused(
            "This is the address of a cloud's metadata service, which gives away the machine's own credentials.",
            "Give the address of an inference server.",
        )
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    path = parts.path.rstrip("/")
    tails = ("/chat/completions", "/models", "/completions", "/embeddings")
    path = path.removesuffix(next((tail for tail in tails if path.endswith(tail)), ""))
    if not path and parts.hostname not in _NO_VERSION_IN_PATH:
        path = "/v1"
    return urlunsplit((parts.scheme, f"{host}:{port}" if port else host, path, parts.query, ""))


@functools.lru_cache(maxsize=4096)
def under(base_url: str, path: str) -> str:
    """The address of one route of a backend: its path goes before the query that all of them carry."""
    before, mark, query = base_url.partition("?")
    return f"{before.rstrip('/')}{path}{mark}{query}"


def key_headers(base_url: str, key: str | None) -> list[tuple[str, str]]:
    """How a backend is told its key: a bearer token; Azure, known by the version in its query, has a header of its own.

    Source: Azure OpenAI REST API reference, "Authentication".
    """
    if not key:
        return []
    names = {name.lower() for name, _ in parse_qsl(urlsplit(base_url).query, keep_blank_values=True)}
    return [("api-key", key)] if "api-version" in names else [("authorization", f"Bearer {key}")]


def is_local(base_url: str) -> bool:
    """Whether an address is on this machine or its own network: a server of one's own, with no list price."""
    host = (urlsplit(base_url).hostname or "").lower().rstrip(".")
    ip = ip_of(host)
    if ip is not None:
        return ip.is_private or ip.is_loopback
    return "." not in host or host.endswith(_LOCAL_ENDINGS)


def origin(base_url: str) -> str:
    """Scheme, host and port: where a key would be sent."""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc}".lower()


def travels_in_clear(base_url: str) -> bool:
    """Whether what is sent there could be read on the way: plain http to another network."""
    return base_url.startswith("http://") and not is_local(base_url)

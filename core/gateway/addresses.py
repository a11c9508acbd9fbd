"""Where a request comes from and which address it asked for: pure decisions on hosts, origins and proxies."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

_PROXIES = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-real-ip", "via")


def is_loopback(host: str) -> bool:
    """Whether a host name or address can only mean this computer."""
    try:
        address = ipaddress.ip_address(host.strip("[]").partition("%")[0])
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def host_of(header: str) -> str | None:
    """The host name in a `Host` header, lower case, without its port; None when it is not one."""
    if not header or any(letter in header for letter in "@/?#\\ ,"):
        return None
    try:
        parts = urlsplit(f"//{header}")
        parts.port  # noqa: B018 (reading it checks it)
    except ValueError:
        return None
    return (parts.hostname or "").rstrip(".") or None


def origin_of(url: str) -> str:
    """`scheme://host[:port]` of an address, without a default port; "" when it has none."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return ""
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        return ""
    name = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    is_default = port in {None, 443 if parts.scheme == "https" else 80}
    return f"{parts.scheme}://{name}" if is_default else f"{parts.scheme}://{name}:{port}"


@dataclass(frozen=True, slots=True)
class House:
    """What the operator decided: whether people sign in, and under which addresses the console is known."""

    has_login: bool = False
    origins: frozenset[str] = field(default_factory=frozenset)
    hosts: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, *, has_login: bool, addresses: Sequence[str] = (), hosts: Sequence[str] = ()) -> House:
        """From the public address, the login's redirect address and the allowed hosts."""
        origins = frozenset(origin for address in addresses if (origin := origin_of(address)))
        names = {urlsplit(origin).hostname or "" for origin in origins} | {host.strip().lower() for host in hosts}
        return cls(has_login, origins, frozenset(names - {""}))

    def refusal(self, headers: Mapping[str, str], client: str) -> str:
        """Why a request is not served at this address; "" when it is."""
        host = host_of(headers.get("host", ""))
        if host is None:
            return "The request names no host."
        if not self.has_login:
            if any(name in headers for name in _PROXIES):
                return "This request came through a proxy, and login is not configured, so anyone could be behind it."
            if not is_loopback(client) or not is_loopback(host):
                return "Without login this console serves its own computer only, at http://127.0.0.1."
            return ""
        if not (host in self.hosts or is_loopback(host) or self._matches(host)):
            return f"The address {host[:100]!r} is not one this console is known under."
        return ""

    def _matches(self, host: str) -> bool:
        return any(name.startswith("*.") and host.endswith(name[1:]) for name in self.hosts)

    def is_secure(self, scope: Mapping[str, Any], headers: Mapping[str, str], client: str) -> bool:
        """Whether the browser speaks TLS: to us, to a proxy on this computer, or by the console's public address."""
        if scope.get("scheme") in {"https", "wss"}:
            return True
        if is_loopback(client) and headers.get("x-forwarded-proto", "").split(",")[0].strip().lower() == "https":
            return True
        return f"https://{headers.get('host', '').lower()}" in self.origins

    def is_same_origin(self, headers: Mapping[str, str], *, is_secure: bool) -> bool:
        """Whether a request with an `Origin` comes from this console's own pages; without one, no page sent it."""
        origin = headers.get("origin")
        if origin is None:
            return True
        asked = origin_of(origin)
        own = origin_of(f"{'https' if is_secure else 'http'}://{headers.get('host', '')}")
        return bool(asked) and (asked == own or asked in self.origins)


def return_path(referer: str, headers: Mapping[str, str]) -> str:
    """Where to go back to after the login: the path and query of a page of this same host; "" for anything else."""
    try:
        parts = urlsplit(referer)
    except ValueError:
        return ""
    path = parts.path + (f"?{parts.query}" if parts.query else "")
    return path if parts.netloc.lower() == headers.get("host", "").lower() and is_safe_path(path) else ""


def is_safe_path(path: str) -> bool:
    """Whether a path can only lead to this same origin, and to a page rather than into the login again."""
    if not path.startswith("/") or path.startswith("//") or len(path) > 1500:
        return False
    if not path.isascii() or any(letter == "\\" or letter <= " " or letter == "\x7f" for letter in path):
        return False
    return not path.startswith(("/auth/", "/oauth2callback", "/_stcore", "/v1"))

"""The doors of the console: who may reach it, by which address, and which of Streamlit's own endpoints exist.

A pure-ASGI middleware around everything that is not the gateway's. Without login it serves one person on this
computer: no other host, no proxy, no page of another site (DNS rebinding, cross-site sockets). What Streamlit
serves below `/_stcore` exists only if it stands in `ENDPOINTS`; the test of this module compares that table with
the routes of the installed Streamlit, so that a new endpoint is decided on before it is served.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core import settings as configured
from core.errors import Invalid
from core.gateway import addresses
from core.gateway.addresses import House
from core.gateway.exchange import Receive, Scope, Send, headers_of, respond
from core.people import claims
from core.settings import Settings

App = Callable[[Scope, Receive, Send], Awaitable[None]]

RETURN = "greenroom_return"
LOGIN, CALLBACK = "/auth/login", "/oauth2callback"
HOW = "README.md, “Login”, says how to let others in."
_LOOKING = frozenset({"GET", "HEAD"})
_MIN_SECRET = 32
_BREAKS = re.compile(rb"[\r\n\0]")
_BLANKS = bytes.maketrans(b"\r\n\0", b"   ")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One of Streamlit's own endpoints that the browser needs; `path` with a slash at its end is a prefix."""

    path: str
    methods: frozenset[str]
    needs: str = ""  # "login": only where it is configured; "agent": only with the agent API, from this computer


ENDPOINTS = (
    Endpoint("/_stcore/health", _LOOKING),
    Endpoint("/_stcore/host-config", _LOOKING),
    Endpoint("/_stcore/stream", frozenset({"WEBSOCKET"})),
    Endpoint("/_stcore/upload_file/", frozenset({"PUT", "DELETE"})),
    Endpoint("/_stcore/bidi-components/", _LOOKING),
    Endpoint("/_stcore/agent/", frozenset({"GET", "POST", "DELETE"}), needs="agent"),
    Endpoint("/media/", _LOOKING),
    Endpoint("/auth/login", _LOOKING, needs="login"),
    Endpoint("/auth/logout", _LOOKING, needs="login"),
    Endpoint("/oauth2callback", _LOOKING, needs="login"),
)
CLOSED = ("/_stcore/", "/component/", "/app/static/", "/auth/")
"""Below these, what is not in `ENDPOINTS` does not exist; elsewhere are the console's pages and their assets."""


def check_start(settings: Settings, *, host: str) -> None:
    """Whether the console may listen there. Raises: Invalid with what to do first."""
    claims.mapping(settings.role_map)
    if not configured.login_configured():
        if not addresses.is_loopback(host):
            raise Invalid(
                f"Greenroom does not serve {host or 'every address'}: login is not configured, so anyone who reaches "
                "it would be an admin.",
                code="login_required",
                hint="Fill in [auth] as .streamlit/secrets.example.toml shows; or serve applications alone, with "
                "`greenroom gateway`.",
            )
    elif len(str(configured.login().get("cookie_secret", ""))) < _MIN_SECRET:
        raise Invalid(
            f"cookie_secret in [auth] is shorter than {_MIN_SECRET} characters, so sign-ins could be forged.",
            hint='Make one with: python -c "import secrets; print(secrets.token_urlsafe(48))"',
        )


class Doors:
    """Guards `app`. `agent_api` says whether Streamlit's agent API was switched on."""

    def __init__(self, app: App, *, agent_api: Callable[[], bool] = lambda: False, house: House | None = None) -> None:
        self._app = app
        self._agent_api = agent_api
        self._house = house
        self._headers = [(name.encode(), value.encode()) for name, value in security_headers().items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        house = self._house = self._house or known_house()
        headers, client = headers_of(scope), str((scope.get("client") or ("",))[0])
        is_secure = house.is_secure(scope, headers, client)
        method = "WEBSOCKET" if scope["type"] == "websocket" else scope["method"]
        guarded = self._guarded(scope, headers, send, is_secure=is_secure)
        if why := house.refusal(headers, client):
            await refuse(scope, receive, guarded, 403, f"{why}\n{HOW}\n")
        elif method not in _LOOKING and not house.is_same_origin(headers, is_secure=is_secure):
            await refuse(scope, receive, guarded, 403, "Another site's page may not do this.\n")
        elif not self._exists(scope["path"], method, house, client):
            await refuse(scope, receive, guarded, 404, "There is nothing here.\n")
        else:
            await self._app(scope, receive, guarded)

    def _exists(self, path: str, method: str, house: House, client: str) -> bool:
        for endpoint in ENDPOINTS:
            if path == endpoint.path or (endpoint.path.endswith("/") and path.startswith(endpoint.path)):
                if endpoint.needs == "agent" and not (self._agent_api() and addresses.is_loopback(client)):
                    return False
                return method in endpoint.methods and (endpoint.needs != "login" or house.has_login)
        return method in _LOOKING and not f"{path}/".startswith(CLOSED)

    def _guarded(self, scope: Scope, headers: Mapping[str, str], send: Send, *, is_secure: bool) -> Send:
        """A `send` that adds the security headers, `Secure` on cookies, and the way back after a login."""
        path = scope["path"]

        async def wrapped(message: dict[str, Any]) -> None:
            if message["type"] in {"http.response.start", "websocket.http.response.start"}:
                kept = [(name.lower(), _one_line(value)) for name, value in message.get("headers", ())]
                if path == LOGIN and (back := addresses.return_path(headers.get("referer", ""), headers)):
                    kept.append((b"set-cookie", _remember(back)))
                elif path == CALLBACK:
                    kept = _led_back(kept, headers)
                if is_secure:
                    kept = [(name, _secure(value) if name == b"set-cookie" else value) for name, value in kept]
                ours = {name for name, _ in self._headers}
                message["headers"] = [pair for pair in kept if pair[0] not in ours] + self._headers
            await send(message)

        return wrapped


async def refuse(scope: Scope, receive: Receive, send: Send, status: int, text: str) -> None:
    """Say no, to a request or to a socket that asks to open."""
    headers = [("content-type", "text/plain; charset=utf-8"), ("cache-control", "no-store")]
    if scope["type"] == "http":
        await respond(send, status, headers, text.encode())
        return
    await receive()
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close", "code": 1008})
        return
    raw = [(name.encode(), value.encode()) for name, value in headers]
    await send({"type": "websocket.http.response.start", "status": status, "headers": raw})
    await send({"type": "websocket.http.response.body", "body": text.encode()})


def known_house() -> House:
    """The house as the settings and `[auth]` describe it."""
    settings, login = configured.load(), configured.login()
    known = (settings.public_url, str(login.get("redirect_uri", "")))
    return House.of(has_login=configured.login_configured(), addresses=known, hosts=settings.allowed_hosts)


def security_headers() -> dict[str, str]:
    """The headers every answer of the console carries."""
    policy = {
        "default-src": "'self'",
        # Streamlit's one inline script, by its hash; WebAssembly reads Arrow tables; blob: brings inline components
        "script-src": " ".join(["'self'", "'wasm-unsafe-eval'", "blob:", *script_hashes()]),
        "style-src": "'self' 'unsafe-inline'",
        "img-src": "'self' data: blob:",
        "media-src": "'self' data: blob:",
        "font-src": "'self' data:",
        "worker-src": "'self' blob:",
        "connect-src": "'self'",
        "frame-src": "'self'",
        "object-src": "'none'",
        "base-uri": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    return {
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "same-origin",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=(self)",
    }


def script_hashes() -> list[str]:
    """`'sha256-…'` of each inline script in the installed Streamlit's page (CSP Level 3, §6.7.2.4)."""
    found = importlib.util.find_spec("streamlit")
    if found is None or not found.submodule_search_locations:
        return []
    page = Path(found.submodule_search_locations[0]) / "static" / "index.html"
    scripts = re.findall(r"<script>(.*?)</script>", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    digests = [hashlib.sha256(script.encode()).digest() for script in scripts]
    return [f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests]


def _remember(path: str) -> bytes:
    """A cookie for the ten minutes that a login may take; only the callback gets it back."""
    value = base64.urlsafe_b64encode(path.encode()).rstrip(b"=")
    return f"{RETURN}={value.decode()}; Max-Age=600; Path={CALLBACK}; HttpOnly; SameSite=Lax".encode()


def _led_back(kept: list[tuple[bytes, bytes]], headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """The callback's redirect to the front page, made one to the page the login began on."""
    cookies = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
    text = next((value for name, _, value in cookies if name == RETURN), "")
    try:
        path = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except ValueError:
        path = ""
    if not path:
        return kept
    gone = f"{RETURN}=; Max-Age=0; Path={CALLBACK}; HttpOnly; SameSite=Lax".encode()
    if addresses.is_safe_path(path):
        kept = [(name, path.encode() if (name, value) == (b"location", b"/") else value) for name, value in kept]
    return [*kept, (b"set-cookie", gone)]


def _one_line(value: bytes) -> bytes:
    """A header's value that cannot begin another header: a page may hand on what a stranger named a file or a type."""
    return value.translate(_BLANKS) if _BREAKS.search(value) else value


def _secure(cookie: bytes) -> bytes:
    return cookie if b"; secure" in cookie.lower() else cookie + b"; Secure"

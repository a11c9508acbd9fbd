"""The doors: without login one person on this computer, with login the known addresses; no foreign page or path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from unittest.mock import MagicMock

import anyio
import pytest
from starlette.routing import Mount, Route, WebSocketRoute
from streamlit.web.server.starlette.starlette_app import create_streamlit_routes

from core import settings
from core.errors import Invalid
from core.gateway import doors
from core.gateway.addresses import House
from core.gateway.doors import Doors

ALONE = House.of(has_login=False)
OPEN = House.of(has_login=True, addresses=("https://green.example/oauth2callback",), hosts=("*.inside.example",))

# Every endpoint of Streamlit's own, and whether the console serves it: a new one fails until somebody decides.
DECIDED = {
    "GET /_stcore/health": "open",
    "HEAD /_stcore/health": "open",
    "OPTIONS /_stcore/health": "closed",
    "GET /_stcore/metrics": "closed",
    "HEAD /_stcore/metrics": "closed",
    "OPTIONS /_stcore/metrics": "closed",
    "GET /_stcore/host-config": "open",
    "HEAD /_stcore/host-config": "open",
    "GET /media/{file_id:path}": "open",
    "HEAD /media/{file_id:path}": "open",
    "OPTIONS /media/{file_id:path}": "closed",
    "PUT /_stcore/upload_file/{session_id}/{file_id}": "open",
    "DELETE /_stcore/upload_file/{session_id}/{file_id}": "open",
    "OPTIONS /_stcore/upload_file/{session_id}/{file_id}": "closed",
    "GET /component/{path:path}": "closed",
    "HEAD /component/{path:path}": "closed",
    "OPTIONS /component/{path:path}": "closed",
    "GET /_stcore/bidi-components/{path:path}": "open",
    "HEAD /_stcore/bidi-components/{path:path}": "open",
    "OPTIONS /_stcore/bidi-components/{path:path}": "closed",
    "WEBSOCKET /_stcore/stream": "open",
    "GET /auth/login": "with login",
    "HEAD /auth/login": "with login",
    "GET /auth/logout": "with login",
    "HEAD /auth/logout": "with login",
    "GET /oauth2callback": "with login",
    "HEAD /oauth2callback": "with login",
    **{
        f"{method} /_stcore/agent/{name}": "with the agent API" if method in {"GET", "POST", "DELETE"} else "closed"
        for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
        for name in ("interact", "openapi.json", "mcp")
    },
}


def knock(
    path: str,
    *,
    house: House = ALONE,
    method: str = "GET",
    host: str = "127.0.0.1:8501",
    client: str = "127.0.0.1",
    answer: tuple[int, dict[str, str]] = (200, {}),
    agent: bool = False,
    scheme: str = "http",
    **headers: str,
) -> tuple[int, list[tuple[str, str]], str]:
    """What comes back: status, headers, text. "inside" is the text when the console was reached."""
    sent: list[dict[str, Any]] = []

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        raw = [(name.encode(), value.encode()) for name, value in answer[1].items()]
        if scope["type"] == "websocket":
            await send({"type": "websocket.accept"})
            return
        await send({"type": "http.response.start", "status": answer[0], "headers": raw})
        await send({"type": "http.response.body", "body": b"inside"})

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    named = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    scope: dict[str, Any] = {
        "type": "websocket" if method == "WEBSOCKET" else "http",
        "method": method,
        "scheme": scheme,
        "path": path,
        "client": (client, 5000),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in named.items() if value],
        "extensions": {"websocket.http.response": {}},
    }
    anyio.run(Doors(inside, house=house, agent_api=lambda: agent), scope, receive, send)
    if sent[0]["type"] == "websocket.accept":
        return 101, [], "inside"
    found = [(name.decode(), value.decode()) for name, value in sent[0]["headers"]]
    return sent[0]["status"], found, sent[1]["body"].decode()


def is_in(path: str, **how: Any) -> bool:
    return knock(path, **how)[2] == "inside"


def installed() -> Iterator[str]:
    """Every endpoint of the installed Streamlit, the pages' own catch-all aside."""
    for route in create_streamlit_routes(MagicMock()):
        if isinstance(route, WebSocketRoute):
            yield f"WEBSOCKET {route.path}"
        elif isinstance(route, Route):
            yield from (f"{method} {route.path}" for method in route.methods or ())
        else:
            assert isinstance(route, Mount)


def test_every_endpoint_of_the_installed_streamlit_was_decided_on() -> None:
    assert set(installed()) == set(DECIDED)


@pytest.mark.parametrize(("endpoint", "decision"), DECIDED.items())
def test_an_endpoint_is_served_as_decided(endpoint: str, decision: str) -> None:
    method, path = endpoint.split(" ")
    path = path.replace("{file_id:path}", "a.png").replace("{path:path}", "a/b.js")
    path = path.replace("{session_id}", "s").replace("{file_id}", "f")
    assert is_in(path, method=method) is (decision == "open")
    with_login = is_in(path, method=method, house=OPEN)
    assert with_login is (decision in {"open", "with login"})
    assert is_in(path, method=method, agent=True) is (decision in {"open", "with the agent API"})


@pytest.mark.parametrize(
    "path", ["/_stcore/new", "/_stcore", "/auth/new", "/app/static/x", "/component/x", "/_stcore/agent"]
)
def test_what_nobody_decided_on_is_not_there(path: str) -> None:
    assert knock(path)[0] == 404
    assert knock(path, house=OPEN)[0] == 404


def test_pages_are_looked_at_and_nothing_is_sent_to_them() -> None:
    assert is_in("/calls")
    assert knock("/calls", method="POST")[0] == 404


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8501", "[::1]:8501", "127.1.2.3", "green.localhost"])
def test_this_computer_is_served(host: str) -> None:
    assert is_in("/", host=host)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "127.0.0.1.evil.example",
        "",
        "localhost@evil.example",
        "0.0.0.0",
        "192.168.1.5:8501",
        "a b",
        "x:99999",
    ],
)
def test_another_name_for_this_computer_is_refused(host: str) -> None:
    status, _, text = knock("/", host=host)
    assert status == 403
    assert "login" in text.lower()


def test_another_computer_is_refused() -> None:
    assert knock("/", client="10.0.0.7")[0] == 403
    assert is_in("/", client="::ffff:127.0.0.1")


@pytest.mark.parametrize("header", ["forwarded", "x_forwarded_for", "x_forwarded_host", "x_real_ip", "via"])
def test_a_proxy_is_told_that_login_is_needed(header: str) -> None:
    status, _, text = knock("/", **{header: "127.0.0.1"})
    assert status == 403
    assert "proxy" in text
    assert "login" in text


def test_with_login_only_known_addresses_are_served() -> None:
    for host in ("green.example", "a.inside.example", "127.0.0.1:8501"):
        assert is_in("/", house=OPEN, host=host, client="10.0.0.7")
    for host in ("evil.example", "inside.example.evil", "green.example.evil"):
        assert knock("/", house=OPEN, host=host)[0] == 403


@pytest.mark.parametrize(
    ("origin", "comes_in"),
    [
        ("", True),
        ("http://127.0.0.1:8501", True),
        ("http://127.0.0.1:9999", False),
        ("http://localhost:8501", False),
        ("https://evil.example", False),
        ("null", False),
        ("file://", False),
    ],
)
def test_a_socket_opens_for_this_consoles_pages_only(origin: str, comes_in: bool) -> None:
    assert is_in("/_stcore/stream", method="WEBSOCKET", origin=origin) is comes_in
    assert is_in("/_stcore/upload_file/s/f", method="PUT", origin=origin) is comes_in


def test_behind_a_proxy_the_public_address_is_the_consoles_own() -> None:
    how = {"house": OPEN, "method": "WEBSOCKET", "host": "127.0.0.1:8501", "x_forwarded_proto": "https"}
    assert is_in("/_stcore/stream", origin="https://green.example", **how)
    assert not is_in("/_stcore/stream", origin="http://green.example", **how)


def test_every_answer_carries_the_security_headers_once() -> None:
    for status, headers, _ in (knock("/", answer=(200, {"X-Frame-Options": "ALLOW"})), knock("/", host="evil.example")):
        names = [name for name, _ in headers]
        assert all(names.count(name) == 1 for name in doors.security_headers()), status
    policy = doors.security_headers()["content-security-policy"]
    assert "'sha256-" in policy
    assert "script-src 'self'" in policy
    assert "'unsafe-eval'" not in policy
    assert "frame-ancestors 'none'" in policy


@pytest.mark.parametrize(
    ("how", "is_secure"),
    [
        ({}, False),
        ({"scheme": "https"}, True),
        ({"x_forwarded_proto": "https"}, True),
        ({"x_forwarded_proto": "https", "client": "10.0.0.7"}, False),
        ({"host": "green.example", "client": "10.0.0.7"}, True),
    ],
)
def test_cookies_are_secure_where_the_browser_speaks_tls(how: dict[str, str], is_secure: bool) -> None:
    answer = (200, {"Set-Cookie": "_streamlit_user=x; HttpOnly"})
    cookies = [value for name, value in knock("/", house=OPEN, answer=answer, **how)[1] if name == "set-cookie"]
    assert cookies == ["_streamlit_user=x; HttpOnly" + ("; Secure" if is_secure else "")]


def logged_in_from(referer: str, location: str = "/") -> str:
    """Where the browser ends after a login that began on `referer`."""
    host = {"host": "127.0.0.1:8501", "house": OPEN}
    _, headers, _ = knock("/auth/login", referer=referer, answer=(302, {"location": "https://idp/"}), **host)
    cookie = next((value for name, value in headers if name == "set-cookie"), "").split(";")[0]
    _, headers, _ = knock("/oauth2callback", cookie=f"a=b; {cookie}", answer=(302, {"location": location}), **host)
    found = dict(headers)
    if cookie:
        assert "Max-Age=0" in found["set-cookie"]
    return found["location"]


def test_a_login_leads_back_to_the_page_it_began_on() -> None:
    here = "http://127.0.0.1:8501"
    assert logged_in_from(f"{here}/calls?filter=model:a,b&project=x%20y") == "/calls?filter=model:a,b&project=x%20y"
    assert logged_in_from(f"{here}/") == "/"
    assert logged_in_from("") == "/"


@pytest.mark.parametrize(
    "referer",
    [
        "https://evil.example/calls",
        "http://127.0.0.1:8501//evil.example",
        "http://127.0.0.1:8501/\\evil.example",
        "http://127.0.0.1:8501/auth/login?again",
        "http://127.0.0.1:8501@evil.example/x",
        "http://127.0.0.1:8501/" + "x" * 2000,
        "javascript:alert(1)",
    ],
)
def test_a_login_leads_nowhere_else(referer: str) -> None:
    assert logged_in_from(referer) == "/"


@pytest.mark.parametrize("value", ["Ly9ldmlsLmV4YW1wbGU", "aHR0cHM6Ly9ldmls", "%%%", "gICA", ""])
def test_a_planted_way_back_is_ignored(value: str) -> None:
    cookie = f"{doors.RETURN}={value}"
    _, headers, _ = knock("/oauth2callback", house=OPEN, cookie=cookie, answer=(302, {"location": "/"}))
    assert dict(headers)["location"] == "/"


def test_a_redirect_to_the_provider_is_left_alone() -> None:
    assert logged_in_from("http://127.0.0.1:8501/calls", location="https://idp/more") == "https://idp/more"


@pytest.fixture
def login(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `[auth]` says, for `check_start`."""
    found: dict[str, Any] = {}
    monkeypatch.setattr(settings, "login", lambda: found)
    monkeypatch.setattr(settings, "login_configured", lambda: bool(found))
    return found


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.168.1.5", "green.example"])
def test_without_login_a_start_for_others_is_refused(login: dict[str, Any], host: str) -> None:
    with pytest.raises(Invalid, match="login is not configured") as told:
        doors.check_start(settings.Settings(), host=host)
    assert "[auth]" in told.value.hint


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_without_login_this_computer_is_served(login: dict[str, Any], host: str) -> None:
    doors.check_start(settings.Settings(), host=host)


def test_with_login_any_address_may_be_served(login: dict[str, Any]) -> None:
    login["cookie_secret"] = "x" * 32
    doors.check_start(settings.Settings(), host="0.0.0.0")


def test_a_short_cookie_secret_and_an_unknown_role_are_refused_at_the_start(login: dict[str, Any]) -> None:
    login["cookie_secret"] = "short"
    with pytest.raises(Invalid, match="cookie_secret"):
        doors.check_start(settings.Settings(), host="127.0.0.1")
    with pytest.raises(Invalid, match="wizard"):
        doors.check_start(settings.Settings(role_map={"g": "wizard"}), host="127.0.0.1")

"""Every error of every route of the gateway has one shape: OpenAI's, with the request's id in the header."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from core.gateway.routes import ROUTES, Route
from tests.gateway.conftest import anyio_backend, nothing_blocks
from tests.support import upstream
from tests.support.house import House, standing

__all__ = ["anyio_backend", "nothing_blocks"]  # the loop of the gateway's tests, and its watch
pytestmark = pytest.mark.anyio
FIELDS = {"message", "type", "param", "code"}


@pytest.fixture
async def house(sqlite_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with upstream.running() as double, standing(tmp_path / "data", sqlite_url, double) as built:
        yield built


def misshapen(answer: httpx2.Response) -> str:
    """What is wrong with an error's shape; "" when nothing is."""
    if answer.headers.get("content-type") != "application/json" or not answer.headers.get("x-request-id"):
        return f"headers: {dict(answer.headers)}"
    body: Any = answer.json()
    if set(body) != {"error"} or set(body["error"]) != FIELDS:
        return f"fields: {body}"
    error = body["error"]
    if not all(isinstance(error[name], str) and error[name] for name in ("message", "type", "code")):
        return f"empty: {error}"
    return "" if error["param"] is None or isinstance(error["param"], str) else f"param: {error}"


def visits(route: Route) -> list[tuple[str, str, dict[str, Any]]]:
    """Ways to be refused at a route: method, path, what is sent."""
    path = route.path.replace("{model}", "no-such-model")
    wrong = {"headers": {"authorization": "Bearer gr_wrong"}}
    found: list[tuple[str, str, dict[str, Any]]] = []
    if "{" not in route.path:
        found.append(("DELETE", path, {}))
    if route.permission is not None:
        found += [(route.method, path, wrong), (route.method, path, {"headers": {"authorization": "Basic x"}})]
    if route.method == "POST":
        bodies = (b"", b"not json", b"[1, 2]", b'{"model": 7}', b"{}", b'{"model": "no-such-model", "id": "x"}')
        found += [(route.method, path, {"content": body}) for body in bodies]
        found.append((route.method, path, {"content": b'{"model": "' + b"m" * 27_000_000 + b'"}'}))
    if "{" in route.path:
        found.append((route.method, path, {}))
    return found


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_a_routes_errors_have_the_one_shape(house: House, route: Route) -> None:
    seen = visits(route)
    assert seen
    for method, path, sent in seen:
        answer = await house.client.request(method, path, **sent)
        assert 400 <= answer.status_code < 500, (method, path, answer.status_code)
        assert misshapen(answer) == "", (method, path)


@pytest.mark.parametrize("path", ["/v1", "/v1/", "/v1/completions", "/v1/models/", "/v1/%2e%2e/x", "/nothing"])
async def test_paths_nobody_serves_have_it_too(house: House, path: str) -> None:
    answer = await house.client.get(path)
    assert answer.status_code == 404
    assert misshapen(answer) == ""


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 422, 429, 500, 503])
async def test_a_backends_errors_have_it_too(house: House, status: int) -> None:
    answer = await house.ask(x_double={"status": status, "retry_after": "60"})
    assert answer.status_code >= 400
    assert misshapen(answer) == ""


def test_this_rule_sees_a_violation() -> None:
    headers = {"x-request-id": "r"}
    assert misshapen(httpx2.Response(400, json={"detail": "no"}, headers=headers)).startswith("fields")
    nothing_said = {"message": "", "type": "t", "param": None, "code": "c"}
    assert misshapen(httpx2.Response(400, json={"error": nothing_said}, headers=headers)).startswith("empty")
    assert misshapen(httpx2.Response(400, text="no", headers=headers)).startswith("headers")

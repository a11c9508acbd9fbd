"""The HTTP face as one pure-ASGI application, and as a middleware in front of the console.

`Gateway(app)` answers its own routes and passes everything else on, so that in the console's process neither
Streamlit's sessions nor its compression stand between an application and its answer.
"""

from __future__ import annotations

import asyncio
import logging
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from core import clock, ids, runtime
from core.db import trouble
from core.errors import GreenroomError, NotFound, NotSignedIn, WrongMethod
from core.gateway import library, responses
from core.gateway.answering import answer
from core.gateway.exchange import Gone, Receive, Scope, Send, headers_of, respond_error
from core.gateway.looking import healthz, metrics_page, model, models, readyz
from core.gateway.metrics import COUNTED
from core.gateway.routes import ROUTES, Route
from core.gateway.saying import feedback
from core.gateway.visit import Visit
from core.people.keys import KeyRow
from core.people.rules import require
from core.runtime import Runtime

App = Callable[[Scope, Receive, Send], Awaitable[None]]

log = logging.getLogger("greenroom.gateway")

HANDLERS: dict[str, Callable[[Visit], Awaitable[int]]] = {
    "answer": answer,
    "create_response": responses.create,
    "response": responses.look,
    "cancel_response": responses.cancel,
    "models": models,
    "model": model,
    "prompts": library.prompts,
    "prompt": library.prompt,
    "push_prompts": library.push,
    "move_label": library.move,
    "feedback": feedback,
    "healthz": healthz,
    "readyz": readyz,
    "metrics": metrics_page,
}
_EXACT = {(route.method, route.path): route for route in ROUTES if "{" not in route.path}
_PATTERNS = tuple(
    (route, route.path.partition("{")[0], route.path.partition("}")[2]) for route in ROUTES if "{" in route.path
)
_PATHS = frozenset(route.path for route in ROUTES)
_SAFE_ID = re.compile(r"[A-Za-z0-9_.:\-]{1,128}")


def is_ours(path: str) -> bool:
    """Whether a path belongs to the gateway, existing or not."""
    return path in _PATHS or path == "/v1" or path.startswith("/v1/")


class Gateway:
    """Answers the gateway's paths, hands the others to `app` (None: there are none)."""

    def __init__(self, app: App | None = None) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (is_ours(scope["path"]) or self._app is None):
            await handle(scope, receive, send)
        elif scope["type"] == "lifespan":
            await _told(self._app or _alone, scope, receive, send)
        elif self._app is not None:
            await self._app(scope, receive, send)


async def handle(scope: Scope, receive: Receive, send: Send) -> None:
    """One request, from its first byte to its last."""
    began = clock.ticks_ms()
    headers = headers_of(scope)
    request_id = headers.get("x-request-id", "")
    if not _SAFE_ID.fullmatch(request_id):
        request_id = f"req_{secrets.token_hex(12)}"
    visit = Visit(scope, receive, send, headers, request_id, runtime.serving())
    route = None
    COUNTED.under_way += 1
    try:
        method = scope["method"]
        route = _route("GET" if method == "HEAD" else method, scope["path"])
        if route.permission is not None:
            visit.key = await _key(visit.runtime, headers.get("authorization"))
            require(visit.principal, route.permission, visit.key.project_id)
        visit.route = route
        status = await HANDLERS[route.name](visit)
    except GreenroomError as error:
        status = error.status
        await respond_error(send, visit.headers(), error)
    except Gone:
        status = 499
    except asyncio.CancelledError:
        status = 499
        if not visit.has_left:
            raise
    except Exception as error:
        told: GreenroomError | None = trouble.of(error)
        if told is None:
            log.exception("request %s failed", request_id)
            told = GreenroomError(
                "Greenroom made a mistake.", hint=f"It was logged as {request_id}; tell your operator."
            )
        status = told.status
        if not visit.has_started:
            await respond_error(send, visit.headers(), told)
    finally:
        COUNTED.under_way -= 1
    COUNTED.count(route.path if route else "(none)", status, (clock.ticks_ms() - began) / 1000)


async def _key(runtime: Runtime, authorization: str | None) -> KeyRow:
    """The key that was sent. One that is not known may have been made in this second, by another process: it is looked
    for once more, as often as strangers with wrong keys may have the store asked. Raises: NotSignedIn."""
    try:
        return runtime.keyring.find(authorization, clock.now())
    except NotSignedIn:
        if not authorization or not await runtime.looked_again():
            raise
    return runtime.keyring.find(authorization, clock.now())


def _route(method: str, path: str) -> Route:
    """The route asked for. Raises: NotFound, with the method that would work where there is one."""
    if (route := _EXACT.get((method, path))) is not None:
        return route
    fitting = [
        known
        for known, before, after in _PATTERNS
        if path.startswith(before) and path.endswith(after) and len(path) > len(before) + len(after)
    ]
    for known in sorted(fitting, key=lambda one: -len(one.path)):
        if known.method == method:
            return known
    allowed = tuple(known for known, exact in _EXACT if exact == path) + tuple(one.method for one in fitting)
    if allowed:
        raise WrongMethod(f"{path[:200]} takes {', '.join(allowed)}, not {method}.", allowed=allowed)
    raise NotFound(
        f"There is nothing at {method} {path[:200]}.", code="unknown_url", hint="See README.md for the routes."
    )


async def _told(app: App, scope: Scope, receive: Receive, send: Send) -> None:
    """The life of `app`; where it cannot begin, the operator reads the sentence instead of a stack."""
    ended: list[dict[str, Any]] = []
    has_begun = False

    async def held(message: dict[str, Any]) -> None:
        nonlocal has_begun
        has_begun = has_begun or message["type"] == "lifespan.startup.complete"
        if message["type"] == "lifespan.startup.failed":
            ended.append(message)
        else:
            await send(message)

    try:
        await app(scope, receive, held)
    except BaseException as error:
        if isinstance(error, GreenroomError) and not has_begun:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        for message in ended:
            await send(message)
        raise


async def _alone(_scope: Scope, receive: Receive, send: Send) -> None:
    """Start and stop the runtime with the server (`greenroom gateway`)."""
    await receive()
    async with runtime.running("gateway"):
        await send({"type": "lifespan.startup.complete"})
        await receive()
    await send({"type": "lifespan.shutdown.complete"})


def create() -> Gateway:
    """The HTTP face alone, for `greenroom gateway`."""
    return Gateway()


@asynccontextmanager
async def console_lifespan(_app: Any) -> AsyncIterator[dict[str, Any]]:
    """The runtime's life in the console's process."""
    async with runtime.running("console") as started:
        yield {"runtime": started, "process": ids.shown("call", started.ids.next())}

"""What of a backend's answer can be used, and what it is when it cannot: each check returns or raises a sentence."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anyio import to_thread

from core import clock
from core.catalog.rules import BackendView
from core.errors import UpstreamBroken, UpstreamRejected
from core.serve import rules
from core.wire import nesting, openai, sse
from core.wire.gathered import Gathered

LARGE_JSON = 256 * 1024
LONGEST_ERROR, LONGEST_CODE = 10_000, 64  # characters of what a backend says of itself

Json = dict[str, Any]
Events = list[tuple[bytes, Json | None]]


async def loads(data: bytes) -> Any:
    """The JSON value of these bytes. Raises: ValueError."""
    if len(data) > LARGE_JSON:
        return await to_thread.run_sync(openai.loads, data)
    return openai.loads(data)


PASSED_PREFIXES = ("x-ratelimit-", "openai-processing")


def passed_on(backend: BackendView, headers: Mapping[str, str]) -> list[tuple[str, str]]:
    """The upstream's headers that a caller can use: its rate limits and processing time."""
    return [
        (name, backend.without_key(value.encode("latin-1")).decode("latin-1"))
        for name, value in headers.items()
        if name.startswith(PASSED_PREFIXES)
    ]


def check_status(backend: BackendView, status: int, headers: Mapping[str, str], body: bytes) -> None:
    """Raises: UpstreamRejected when the backend answered with an error status (or a redirect)."""
    if 200 <= status < 300:
        return
    try:
        error = openai.error_of(openai.loads(body)) or {}
    except ValueError:
        error = {}
    said = str(error.get("message") or "").strip()[:LONGEST_ERROR]
    code, kind = str(error.get("code") or "")[:LONGEST_CODE], str(error.get("type") or "")
    code = "" if code.isdecimal() else code  # a status written as a code says nothing more
    param = error.get("param") if isinstance(error.get("param"), str) else None
    if status in (401, 403):
        raise UpstreamRejected(
            f"The backend {backend.name} did not accept Greenroom's key for it ({status}).",
            code="upstream_auth",
            hint="An engineer can enter its key again under Backends and models.",
            upstream_status=status,
            body=body,
        )
    if 300 <= status < 400:
        said = "it redirects elsewhere, and redirects are not followed"
    if status == 429 and rules.is_quota(code, kind):
        code = "insufficient_quota"
    raise UpstreamRejected(
        said or f"The backend {backend.name} answered with status {status} and no explanation.",
        code=code or {429: "rate_limit_exceeded", 404: "upstream_not_found"}.get(status, "upstream_error"),
        param=param,
        upstream_status=status,
        retry_after_s=rules.retry_after(headers, now=clock.now()),
        body=body,
        passed_on=tuple(passed_on(backend, headers)),
    )


async def value_of(backend: BackendView, raw: bytes) -> Json:
    """The JSON object in an answer. Raises: UpstreamBroken with what came instead."""
    deep = False
    try:
        value = await loads(raw)
    except ValueError as error:
        value, deep = None, isinstance(error, nesting.TooDeep)
    if isinstance(value, dict):
        return value
    start = raw.lstrip()[:64].lower()
    if not raw.strip():
        what, code = "an empty answer", "empty"
    elif deep:
        what, code = f"JSON nested deeper than {nesting.DEEPEST} levels", "too_deep"
    elif start.startswith((b"<!doctype", b"<html", b"<")):
        what, code = "a web page instead of an answer", "not_json"
    else:
        what, code = "something that is not complete JSON", "not_json"
    raise UpstreamBroken(
        f"The backend {backend.name} sent {what}.",
        code=code,
        hint="Check its address under Backends and models: it usually ends in /v1.",
    )


def check_answer(backend: BackendView, value: Json, path: str) -> None:
    """Raises: Upstream when a 200 answer carries an error, or nothing a client could use."""
    field, what = _NEEDED[path]
    error = openai.error_of(value)
    if error is not None and not value.get(field):
        check_status(backend, _status_in(error), {}, openai.dumps({"error": error}))
    found, is_chat = value.get(field), field == "choices"
    if not isinstance(found, list) or (is_chat and not all(isinstance(one, dict) for one in found)):
        raise UpstreamBroken(
            f"The backend {backend.name} sent JSON that is no {what}.",
            code="not_a_completion" if is_chat else "not_an_answer",
            hint="Check its address under Backends and models: it usually ends in /v1.",
        )


_NEEDED = {
    "/chat/completions": ("choices", "chat completion"),
    "/embeddings": ("data", "list of embeddings"),
    "/moderations": ("results", "moderation"),
}


def _status_in(error: Json) -> int:
    """The status of an error that came with status 200: the one it names as its code, as gateways do, else 502."""
    code = error.get("code")
    named = int(code) if isinstance(code, int) or (isinstance(code, str) and code.isdecimal()) else 0
    return named if 400 <= named < 600 else 502


def check_beginning(backend: BackendView, first: Events) -> None:
    """Raises: Upstream when a stream begins with an error or has nothing: nobody has heard anything yet, so that
    another try or model may answer."""
    if not any(data for data, _ in first):
        raise cut(backend)
    for data, value in first:
        if value is not None and (error := openai.error_of(value)) is not None and not openai.choices_of(value):
            check_status(backend, _status_in(error), {}, data)


def gathered(backend: BackendView, raw: bytes) -> Json:
    """A stream nobody asked for, added up."""
    added = Gathered()
    decoder = sse.Decoder()
    for data, value in parsed(backend, [*decoder.feed(raw), *decoder.end()]):
        if value is not None and data:
            added.add(value)
    if not added.is_finished:
        raise cut(backend)
    return added.completion()


def parsed(backend: BackendView, events: list[sse.Event]) -> Events:
    parsed: Events = []
    for found in events:
        data = backend.without_key(found.data)
        if not data:
            parsed.append((b"", None))
        elif data == b"[DONE]":
            parsed.append((data, None))
        else:
            try:
                value = openai.loads(data)
            except ValueError:
                value = None
            if not isinstance(value, dict):
                raise UpstreamBroken(
                    f"The backend {backend.name} sent an event that is not complete JSON.", code="not_json"
                )
            parsed.append((data, value))
    return parsed


def cut(backend: BackendView) -> UpstreamBroken:
    """The error of an answer that ended without saying why."""
    return UpstreamBroken(
        f"The backend {backend.name} ended its answer before it was complete.",
        code="cut",
        hint="What arrived until then is kept in Calls.",
    )

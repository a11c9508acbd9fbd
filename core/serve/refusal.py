"""An error as programs see it: OpenAI's JSON shape, the same on every route."""

from __future__ import annotations

from typing import Any

from core.errors import GreenroomError, Upstream


def error_body(error: GreenroomError) -> dict[str, Any]:
    """`{"error": {"message", "type", "param", "code"}}`, the message with its next step.

    Source: OpenAI API reference, "Error codes".
    """
    kind = error.kind
    if isinstance(error, Upstream) and error.upstream_status == 429:
        kind = "insufficient_quota" if error.code == "insufficient_quota" else "rate_limit_error"
    elif isinstance(error, Upstream) and error.upstream_status in (400, 404, 409, 413, 422):
        kind = "invalid_request_error"
    return {"error": {"message": str(error), "type": kind, "param": error.param, "code": error.code}}


def caller_status(error: GreenroomError) -> int:
    """The status a caller sees: an upstream's own, unless it speaks of our key (401, 403) or is no error of HTTP's."""
    if isinstance(error, Upstream) and error.upstream_status is not None:
        given = error.upstream_status
        return given if 400 <= given < 600 and given not in (401, 403) else error.status
    return error.status

"""`/v1/feedback`: what a reader said of an answer."""

from __future__ import annotations

from typing import Any

import orjson
from anyio import to_thread

from core import clock, ids
from core.calls import actions, queries
from core.errors import Invalid, NotFound
from core.gateway import actions as once
from core.gateway.answering import check_key
from core.gateway.exchange import json_object, read_body
from core.gateway.visit import Visit
from core.serve import reports

FEEDBACK = "/v1/feedback"
LIMIT = 256 * 1024
TEXTS = ("reason", "comment", "correction")
FIELDS = ("id", "thumb", "rating", *TEXTS, "user")
THUMBS = {"up": 1, "down": -1, 1: 1, -1: -1}


async def feedback(visit: Visit) -> int:
    """Keep feedback on an answer of this key's project, named by `id` (ours, or the response's own)."""
    raw = await read_body(visit.sent, visit.receive, limit=LIMIT)
    body = await json_object(raw)
    given = _checked(body)
    key = visit.sent.get("idempotency-key")
    if key is not None:
        check_key(key)
    print_of = once.fingerprint(FEEDBACK, raw)
    assert visit.key is not None
    project_id, by, runtime = visit.key.project_id, visit.principal, visit.runtime

    def give() -> dict[str, Any]:
        with runtime.db.read() as session:
            number = ids.read("call", body["id"]) or ids.read("resp", body["id"])
            if number is None or queries.call(session, number, (project_id,)) is None:
                found = queries.find_response(session, project_id, body["id"])
                number = found.id if found is not None else None
        if number is None:
            raise NotFound(
                f"There is no answer {body['id'][:80]!r} in this key's project.",
                code="answer_not_found",
                param="id",
                hint="Send the Greenroom-Call-Id header's value, or the answer's own id.",
            )
        at = clock.now()
        with runtime.db.write() as session:
            if key is not None:
                known = once.claim(session, project_id=project_id, key=key, fingerprint=print_of, at=at)
                if known is not None:
                    return dict(orjson.loads(known.body))
            row = actions.give(session, call_id=number, by=by, at=at, ids=runtime.ids, **given)
            reports.follow(session, row, policies=runtime.policies, at=at, ids=runtime.ids)
            told = {"id": ids.shown("feedback", row.id), "object": "feedback"}
            if key is not None:
                once.complete(
                    session,
                    project_id=project_id,
                    key=key,
                    given=once.Given(200, "application/json", orjson.dumps(told), number),
                )
            return told

    return await visit.respond(200, await to_thread.run_sync(give))


def _checked(body: dict[str, Any]) -> dict[str, Any]:
    """The fields of a feedback request. Raises: Invalid."""
    if not isinstance(body.get("id"), str) or not body["id"]:
        raise Invalid("You must name the answer by its id.", code="missing_required_parameter", param="id")
    for name in body:
        if name not in FIELDS:  # words that are not kept must not seem to be
            raise Invalid(
                f"There is no field “{name[:80]}” of feedback.", param=name[:80],
                hint=f"Send {', '.join(FIELDS)}.",
            )  # fmt: skip
    given: dict[str, Any] = {}
    thumb = body.get("thumb")
    if thumb is not None:
        if isinstance(thumb, bool) or not isinstance(thumb, str | int) or thumb not in THUMBS:
            raise Invalid('thumb is "up" or "down".', code="invalid_type", param="thumb")
        given["thumb"] = THUMBS[thumb]
    rating = body.get("rating")
    if rating is not None:
        if isinstance(rating, bool) or not isinstance(rating, int) or not 1 <= rating <= 5:
            raise Invalid("rating is a whole number from 1 to 5.", code="invalid_type", param="rating")
        given["rating"] = rating
    for name in TEXTS:
        if body.get(name) is not None:
            if not isinstance(body[name], str):
                raise Invalid(f"{name} must be text.", code="invalid_type", param=name)
            given[name] = body[name]
    if not given:
        raise Invalid("Feedback needs a thumb, a rating or words.", code="missing_required_parameter", param="thumb")
    user = body.get("user")
    if isinstance(user, str):
        given["end_user"] = user
    return given

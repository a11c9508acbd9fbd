"""Read the record: pages of calls, one call in full, conversations, runs of the playground.

Every query names the projects it may see; what lies in another is as if it were not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import and_, func, inspect
from sqlmodel import Session, col, select

from core import clock, ids
from core.calls import paging, rows, said
from core.calls.filters import Filters
from core.calls.record import JUDGED_TAG, JUDGES
from core.calls.tables import Call, CallPayload, CallTag, Feedback, PlaygroundRun
from core.calls.usage_queries import attention, breakdown, compared, totals, usage
from core.calls.views import CallRow, CallView, FeedbackView, Page, Payload, Run
from core.errors import NotFound
from core.people.tables import ApiKey

__all__ = [
    "attention",
    "breakdown",
    "call",
    "compared",
    "draft",
    "find_response",
    "has_judges",
    "judged",
    "judges",
    "page",
    "payload",
    "payloads",
    "recent",
    "run",
    "session_calls",
    "tags",
    "totals",
    "usage",
    "values",
]

SCAN = 10_000  # rows a page looks at for conditions that no index answers
_CALL = list(inspect(Call).columns)
_SHOWN = (col(CallPayload.asked), col(CallPayload.answered), col(CallPayload.error))


def page(
    session: Session,
    filters: Filters,
    *,
    project_ids: Sequence[int],
    before: int | None = None,
    limit: int = 50,
    at: datetime | None = None,
    scan: int = SCAN,
    masked: paging.Masked | None = None,
) -> Page:
    """Calls that meet the filters, newest first, older than the call `before`; relative times count from `at`.

    `masked` says which calls are not found by their words, whatever else is asked.
    """
    told: dict[str, Any] = {"before": before, "limit": limit, "scan": scan, "masked": masked}
    found = paging.find(session, filters, project_ids=project_ids, at=at or clock.now(), **told)
    searched_to = None if found.searched_to is None else ids.moment_of(found.searched_to)
    return Page(_rows(session, found.ids), found.next_before, searched_to)


def recent(session: Session, *, project_ids: Sequence[int], limit: int = 10) -> tuple[CallRow, ...]:
    """The newest calls."""
    return page(session, Filters(), project_ids=project_ids, limit=limit).rows


def call(session: Session, call_id: int, project_ids: Sequence[int]) -> CallView:
    """One call with its tags, explanation and feedback.

    Raises:
        NotFound: there is none, or not in these projects.
    """
    found = session.execute(
        _select(col(CallPayload.detail)).where(col(Call.id) == call_id, col(Call.project_id).in_(project_ids))
    ).one_or_none()
    if found is None:
        raise _missing(call_id)
    said_of = session.exec(select(Feedback).where(Feedback.call_id == call_id).order_by(col(Feedback.id))).all()
    return CallView(
        **_values(found),
        tags=tags(session, [call_id]).get(call_id, ()),
        detail=found.detail or {},
        feedback=tuple(_feedback(row) for row in said_of),
    )


def has_judges(session: Session, *, project_ids: Sequence[int]) -> bool:
    """Whether a policy or a scorer ever asked a judge in these projects."""
    return not paging.known_routes(session, project_ids).isdisjoint(JUDGES)


def judges(session: Session, call_id: int, *, project_ids: Sequence[int], limit: int = 10) -> tuple[CallRow, ...]:
    """The calls by which policies had this call judged, newest first."""
    of_it = Filters(tags=((JUDGED_TAG, ids.shown("call", call_id)),))
    return tuple(row for row in page(session, of_it, project_ids=project_ids, limit=limit).rows if row.route in JUDGES)


def judged(session: Session, call_ids: Iterable[int]) -> dict[int, int]:
    """Which call each of these is a judge's of; of those that a judge was not asked by, nothing.

    An application may write the same tag, but it cannot choose the route.
    """
    query = (
        select(CallTag.call_id, CallTag.value)
        .join(Call, col(Call.id) == col(CallTag.call_id))
        .where(
            col(CallTag.call_id).in_(list(call_ids)), CallTag.name == JUDGED_TAG, col(Call.route).in_(JUDGES),
            col(CallTag.project_id) == col(Call.project_id),
        )
    )  # fmt: skip
    found = ((number, ids.read("call", value)) for number, value in session.exec(query))
    return {number: of for number, of in found if of is not None}


def payload(session: Session, call_id: int, project_ids: Sequence[int]) -> Payload:
    """What was said in one call, decoded and raw.

    Raises:
        NotFound: there is none, or not in these projects.
    """
    found = payloads(session, [call_id], project_ids)
    if call_id not in found:
        raise _missing(call_id)
    return found[call_id]


def payloads(session: Session, call_ids: Iterable[int], project_ids: Sequence[int]) -> dict[int, Payload]:
    """What was said in these calls, by call."""
    query = (
        select(CallPayload.call_id, CallPayload.request, CallPayload.response)
        .join(Call, col(Call.id) == col(CallPayload.call_id))
        .where(col(CallPayload.call_id).in_(list(call_ids)), col(Call.project_id).in_(project_ids))
    )
    return {number: _payload(number, asked, answered) for number, asked, answered in session.exec(query)}


def session_calls(
    session: Session, name: str, *, project_ids: Sequence[int], limit: int = 100, before: int | None = None
) -> tuple[CallRow, ...]:
    """The calls of one conversation, oldest first (the newest `limit` of them, older than `before`)."""
    name = rows.text(name)
    if not name:
        return ()
    found = page(session, Filters(session=name), project_ids=project_ids, before=before, limit=limit)
    return found.rows[::-1]


def find_response(session: Session, project_id: int, response_id: str) -> CallRow | None:
    """The call an application means by the id it got: the response's, the call's or the request's; the newest."""
    rows_found = page(session, Filters(id=response_id), project_ids=[project_id], limit=1).rows if response_id else ()
    return rows_found[0] if rows_found else None


def asked(session: Session, call_ids: Iterable[int], *, project_ids: Sequence[int]) -> dict[int, str]:
    """What these calls began by asking, as a list shows it, by call."""
    query = (
        select(CallPayload.call_id, CallPayload.asked)
        .join(Call, col(Call.id) == col(CallPayload.call_id))
        .where(col(Call.id).in_(list(call_ids)), col(Call.project_id).in_(list(project_ids)))
    )
    return dict(session.exec(query).all())


def tags(session: Session, call_ids: Iterable[int]) -> dict[int, tuple[tuple[str, str], ...]]:
    """The tags of these calls, by call."""
    query = select(CallTag).where(col(CallTag.call_id).in_(list(call_ids))).order_by(col(CallTag.name))
    found: dict[int, tuple[tuple[str, str], ...]] = {}
    for tag in session.exec(query):
        found[tag.call_id] = (*found.get(tag.call_id, ()), (tag.name, tag.value))
    return found


def values(
    session: Session, dimension: str, *, project_ids: Sequence[int], since: datetime, limit: int = 100
) -> tuple[str, ...]:
    """What there is to choose from, busiest first: the values of a dimension since then (see `breakdown`)."""
    shares = breakdown(session, project_ids=project_ids, start=since, end=clock.now(), dimension=dimension, limit=limit)
    return tuple(share.value for share in shares if share.value)


def run(session: Session, run_id: int, project_ids: Sequence[int]) -> Run:
    """One run of the playground.

    Raises:
        NotFound: there is none, or not in these projects.
    """
    found = session.exec(
        select(PlaygroundRun).where(PlaygroundRun.id == run_id, col(PlaygroundRun.project_id).in_(project_ids))
    ).one_or_none()
    if found is None:
        raise NotFound("There is no such run, or it is not yours to see.", hint="Open the playground anew.")
    return _run(found)


def draft(session: Session, actor: str, project_id: int) -> Run | None:
    """What this person was typing on the playground, if anything."""
    found = session.exec(
        select(PlaygroundRun)
        .where(
            PlaygroundRun.actor == actor,
            PlaygroundRun.project_id == project_id,
            col(PlaygroundRun.is_draft),
        )
        .order_by(col(PlaygroundRun.id).desc())
        .limit(1)
    ).first()
    return None if found is None else _run(found)


def _select(*more: Any) -> Any:
    return (
        select(*_CALL, *_SHOWN, func.coalesce(ApiKey.name, "").label("key_name"), *more)  # type: ignore[call-overload]
        .outerjoin(CallPayload, col(CallPayload.call_id) == col(Call.id))
        .outerjoin(ApiKey, and_(col(ApiKey.id) == col(Call.key_id), col(ApiKey.project_id) == col(Call.project_id)))
    )


def _rows(session: Session, call_ids: Sequence[int]) -> tuple[CallRow, ...]:
    if not call_ids:
        return ()
    found = session.execute(_select().where(col(Call.id).in_(call_ids)).order_by(col(Call.id).desc()))
    return tuple(CallRow(**_values(row)) for row in found)


def _values(row: Any) -> dict[str, Any]:
    found = dict(row._mapping)
    found.pop("detail", None)
    for name in ("asked", "answered", "error"):
        found[name] = found[name] or ""
    return found


def _payload(call_id: int, request: bytes | None, response: bytes | None) -> Payload:
    raw_request, raw_response = rows.unpack(request), rows.unpack(response)
    asked, answered = said.value(raw_request), said.value(raw_response)
    return Payload(
        call_id=call_id,
        messages=said.asked(asked),
        answers=said.answered(answered),
        request=asked,
        response=answered,
        raw_request=raw_request,
        raw_response=raw_response,
    )


def _feedback(row: Feedback) -> FeedbackView:
    return FeedbackView(**{name: getattr(row, name) for name in FeedbackView.__dataclass_fields__})


def _run(row: PlaygroundRun) -> Run:
    return Run(row.id, row.project_id, row.actor, row.at, row.is_draft, row.state)


def _missing(call_id: int) -> NotFound:
    return NotFound(f"There is no call {ids.shown('call', call_id)}, or it is not yours to see.")

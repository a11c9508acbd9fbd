"""How an arm, or a test, comes to its end, what is frozen of it, and how everything that happens to a test is told."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlmodel import Session

from core.audit import actions as audit
from core.db import marks
from core.ids import Ids
from core.people.rules import Principal
from core.trials import cards, counting, looking, queries, reading
from core.trials.cards import Card
from core.trials.queries import TrialView
from core.trials.rules import Ending, State
from core.trials.tables import Trial, TrialEvent
from core.webhooks import actions as webhooks
from core.webhooks.rules import Event

TOPIC = "trials"


def card_of(session: Session, view: TrialView, *, is_final: bool = True) -> Card:
    """What a test says now."""
    return reading.card(view.read_by, counting.counted(session, view), is_final=is_final)


def closed(session: Session, row: Trial, card: Card, arm: int, *, by: Principal, at: datetime, ids: Ids) -> None:
    """Take an arm out of a test, with what the card says of it, and announce it."""
    row.closed = {**row.closed, str(arm): cards.frozen(card, arm)}
    row.version += 1
    session.flush()
    detail = {"arm": card.of(arm).name, "sentence": card.of(arm).sentence, "broken": list(card.broken(arm))}
    tell(session, row, "closed", by=by, at=at, ids=ids, detail=detail)
    told = {"id": row.id, "name": row.name, "target": row.target, **detail}
    webhooks.enqueue(session, project_id=row.project_id, event=Event.ARM_CLOSED, data=told, at=at, ids=ids)


def end(
    session: Session,
    row: Trial,
    ending: Ending,
    *,
    by: Principal,
    at: datetime,
    ids: Ids,
    arm: int | None = None,
    seen: Card | None = None,
) -> None:
    """Freeze what the test says now; `arm` is the number of the one for everybody, `seen` what it was stopped for,
    where that is no longer so a moment later."""
    view = queries.view_of(row)
    card = card_of(session, view)
    if seen is not None and not card.all_broken:
        card = seen
    row.state, row.ending, row.ended_by, row.ended_at = State.ENDED, ending, by.actor, at
    row.report = cards.told(dataclasses.replace(card, promoted=arm))
    row.version += 1
    session.flush()
    looking.note(session, trial_id=row.id or 0, card=card, at=at)
    is_one = len(card.said) == 1
    figures = {
        "ending": ending, "sentence": card.sentence, "units": list(card.units), "calls": list(card.calls),
        "guardrails": {
            line.name if is_one else f"{view.arms[line.arm].name}: {line.name}": {
                "difference": line.absolute, "relative": line.relative, "margin": line.margin,
                "standing": line.standing,
            }
            for line in card.lines if line.role == "guardrail"
        },
    }  # fmt: skip
    if arm is not None:
        figures["arm"] = view.arms[arm].name
    tell(session, row, "ended", by=by, at=at, ids=ids, detail=figures)
    told = {"id": row.id, "name": row.name, "target": row.target, **figures}
    webhooks.enqueue(session, project_id=row.project_id, event=Event.TEST_ENDED, data=told, at=at, ids=ids)


def tell(
    session: Session,
    row: Trial,
    what: str,
    *,
    by: Principal,
    at: datetime,
    ids: Ids,
    detail: Mapping[str, Any] | None = None,
    before: Mapping[str, Any] | None = None,
) -> None:
    """One thing that happened: an event of the test, a row of the trail, and a mark for every process."""
    marks.bump(session, TOPIC)
    session.add(
        TrialEvent(
            id=ids.next(), trial_id=row.id or 0, at=at, by=by.actor, what=what, version=row.version,
            detail=dict(detail or {}),
        )
    )  # fmt: skip
    session.flush()
    audit.append(
        session, by=by, at=at, action=f"trial.{what}", target=f"trial:{row.name}", project_id=row.project_id,
        before=before, after=detail,
    )  # fmt: skip

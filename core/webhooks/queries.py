"""Read webhooks and what was delivered to them; every query names the projects it may see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func, or_
from sqlmodel import Session, col, select

from core.errors import NotFound
from core.ids import shown
from core.webhooks.rules import State
from core.webhooks.tables import Delivery, Webhook


@dataclass(frozen=True, slots=True)
class WebhookView:
    """A webhook as it is listed. `before_until`: until then the secret before the last rotation signs too.

    `waiting` counts messages not yet delivered; `last` and `last_at` are the state and moment of the newest end.
    """

    id: int
    project_id: int
    url: str
    events: tuple[str, ...]
    is_on: bool
    off_because: str
    allows_private: bool
    created_at: datetime
    before_until: datetime | None
    waiting: int = 0
    last: str = ""
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try: when, how long it took, what came back."""

    at: datetime
    ms: float
    status: int | None
    error: str
    answer: str


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """One message. `next_at` counts while it waits; `payload` is what is sent, byte for byte."""

    id: int
    webhook_id: int
    project_id: int
    event: str
    state: str
    tries: int
    made_at: datetime
    next_at: datetime
    ended_at: datetime | None
    http_status: int | None
    error: str
    payload: bytes
    attempts: tuple[Attempt, ...]

    @property
    def message_id(self) -> str:
        """What the receiver knows it by, the same in every try."""
        return shown("msg", self.id)


@dataclass(frozen=True, slots=True)
class Deliveries:
    """A page of the log, newest first; the next one starts before `next_before`."""

    rows: tuple[DeliveryView, ...]
    next_before: int | None


def webhooks(session: Session, *, project_ids: Sequence[int], limit: int = 200) -> tuple[WebhookView, ...]:
    """The webhooks of these projects, oldest first."""
    found = session.exec(
        select(Webhook).where(col(Webhook.project_id).in_(project_ids)).order_by(col(Webhook.id)).limit(limit)
    ).all()
    numbers = [row.id for row in found]
    counts: dict[int, int] = dict(
        session.exec(
            select(Delivery.webhook_id, func.count())
            .where(col(Delivery.webhook_id).in_(numbers), Delivery.state == State.WAITING)
            .group_by(col(Delivery.webhook_id))
        ).all()
    )
    return tuple(_webhook(session, row, counts.get(row.id or 0, 0)) for row in found)


def deliveries(
    session: Session,
    *,
    webhook_id: int,
    project_ids: Sequence[int],
    before: int | None = None,
    state: State | None = None,
    limit: int = 50,
) -> Deliveries:
    """The delivery log of a webhook."""
    query = (
        select(Delivery)
        .where(Delivery.webhook_id == webhook_id, col(Delivery.project_id).in_(project_ids))
        .order_by(col(Delivery.id).desc())
        .limit(limit + 1)
    )
    if before is not None:
        query = query.where(col(Delivery.id) < before)
    if state is not None:
        query = query.where(Delivery.state == state)
    found = session.exec(query).all()
    rows = tuple(_delivery(row) for row in found[:limit])
    return Deliveries(rows, rows[-1].id if len(found) > limit else None)


def delivery(session: Session, delivery_id: int, *, project_ids: Sequence[int]) -> DeliveryView:
    """One message with its tries. Raises: NotFound."""
    row = session.get(Delivery, delivery_id)
    if row is None or row.project_id not in project_ids:
        raise NotFound("There is no such delivery.", hint="Choose one from the delivery log.")
    return _delivery(row)


def due(session: Session, *, at: datetime, limit: int = 200) -> list[int]:
    """Webhooks that are on and have something to send now, the one that waits longest first."""
    oldest = (
        select(func.min(Delivery.next_at))
        .where(Delivery.webhook_id == Webhook.id, *is_due(at))
        .correlate(Webhook)
        .scalar_subquery()
    )
    query = (
        select(Webhook.id).where(col(Webhook.is_on), oldest.is_not(None)).order_by(oldest, col(Webhook.id)).limit(limit)
    )
    return [number for number in session.exec(query) if number is not None]


def is_due(at: datetime) -> tuple[ColumnElement[bool], ...]:
    """The conditions of a delivery that may be sent now: its time has come, and nobody is sending it."""
    return (
        col(Delivery.state) == State.WAITING,
        col(Delivery.next_at) <= at,
        or_(col(Delivery.lease_until).is_(None), col(Delivery.lease_until) <= at),
    )


def _webhook(session: Session, row: Webhook, waiting: int) -> WebhookView:
    last = session.exec(
        select(Delivery.state, Delivery.ended_at)
        .where(Delivery.webhook_id == row.id, Delivery.state != State.WAITING)
        .order_by(col(Delivery.id).desc())
        .limit(1)
    ).first()
    return WebhookView(
        id=row.id or 0,
        project_id=row.project_id,
        url=row.url,
        events=tuple(row.events),
        is_on=row.is_on,
        off_because=row.off_because,
        allows_private=row.allows_private,
        created_at=row.created_at,
        before_until=row.before_until,
        waiting=waiting,
        last=last[0] if last else "",
        last_at=last[1] if last else None,
    )


def _delivery(row: Delivery) -> DeliveryView:
    return DeliveryView(
        **row.model_dump(exclude={"attempts", "lease_until"}), attempts=tuple(_attempt(one) for one in row.attempts)
    )


def _attempt(told: dict[str, Any]) -> Attempt:
    return Attempt(datetime.fromisoformat(told["at"]), told["ms"], told["status"], told["error"], told["answer"])

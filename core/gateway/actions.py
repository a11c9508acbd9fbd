"""`Idempotency-Key`: the same key with the same body gets the same answer, once made; kept for a day."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from core.calls.tables import Idempotency
from core.errors import Conflict, KeyReused

KEPT = timedelta(hours=24)
ABANDONED = timedelta(minutes=15)
LARGEST_KEPT = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Given:
    """The answer this key got before."""

    status: int
    content_type: str
    body: bytes
    call_id: int


def fingerprint(path: str, body: bytes) -> bytes:
    """What makes two requests the same."""
    return hashlib.sha256(path.encode() + b"\0" + body).digest()


def claim(session: Session, *, project_id: int, key: str, fingerprint: bytes, at: datetime) -> Given | None:
    """Take the key for a request that starts now; the earlier answer when there is one.

    Raises: KeyReused when the key was used for another request, Conflict while the first is still being answered.
    """
    session.execute(delete(Idempotency).where(col(Idempotency.at) < at - KEPT))
    kind = session.get_bind().dialect.name
    insert = (postgresql if kind == "postgresql" else sqlite).insert(Idempotency)
    values = {"project_id": project_id, "key": key, "fingerprint": fingerprint, "at": at, "content_type": ""}
    taken = session.execute(insert.values(values).on_conflict_do_nothing().returning(col(Idempotency.key))).first()
    if taken is not None:
        return None
    where = (Idempotency.project_id == project_id, Idempotency.key == key)
    row = session.exec(select(Idempotency).where(*where).with_for_update()).one_or_none()
    if row is None or row.fingerprint != fingerprint:
        raise KeyReused(
            "This Idempotency-Key was used for a different request.",
            hint="Use a new key for every new request.",
        )
    if row.http_status is None:
        if row.at > at - ABANDONED:
            raise Conflict(
                "A request with this Idempotency-Key is still being answered.",
                code="idempotency_key_in_use",
                hint="Ask again in a moment with the same key.",
            )
        row.at = at
        session.add(row)
        return None
    return Given(row.http_status, row.content_type, row.body or b"", row.call_id or 0)


def complete(session: Session, *, project_id: int, key: str, given: Given) -> None:
    """Keep the answer for whoever asks again."""
    session.execute(
        update(Idempotency)
        .where(col(Idempotency.project_id) == project_id, col(Idempotency.key) == key)
        .values(http_status=given.status, content_type=given.content_type, body=given.body, call_id=given.call_id)
    )


def release(session: Session, *, project_id: int, key: str) -> None:
    """Forget a claim whose request had no answer worth keeping, so that asking again asks the backend again."""
    session.execute(
        delete(Idempotency).where(
            col(Idempotency.project_id) == project_id,
            col(Idempotency.key) == key,
            col(Idempotency.http_status).is_(None),
        )
    )

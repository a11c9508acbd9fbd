"""What can be done about webhooks: make, change, rotate, switch off, test, send again; and what a sender does.

A message is a row of the transaction that it tells of: an end and its announcement are one commit. A sender takes
messages under a lease and settles them; one that dies in between leaves them to the next, who sends them again under
the same id. So a message is delivered at least once, and a receiver that keeps the ids has each exactly once.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, update
from sqlmodel import Session, col, select

from core.audit import actions as audit
from core.calls import rows
from core.errors import Conflict, Invalid, NotFound
from core.ids import Ids, first_at, shown
from core.people.rules import SYSTEM, Permission, Principal, require
from core.people.tables import Project
from core.vault import Vault
from core.webhooks import queries, rules
from core.webhooks.rules import Event, State
from core.webhooks.tables import Delivery, Webhook

LEASE_S = 60
KEPT = timedelta(days=30)
"""How long a message that had its end can be looked at and sent again."""
KEPT_ATTEMPTS = 20
KEPT_CHARACTERS = 500


def create(
    session: Session,
    *,
    project_id: int,
    url: str,
    events: Collection[str],
    by: Principal,
    at: datetime,
    vault: Vault,
    allows_private: bool = False,
) -> tuple[Webhook, str]:
    """A webhook and its signing secret, which is never shown again. Raises: NotAllowed, NotFound, Invalid."""
    require(by, Permission.WEBHOOK_CHANGE, project_id)
    if session.get(Project, project_id) is None:
        raise NotFound("There is no such project.", hint="Reload the page and choose again.")
    secret = rules.secret_of(secrets.token_bytes(rules.KEY_BYTES))
    row = Webhook(
        project_id=project_id,
        url=rules.check_url(url, allows_private=allows_private),
        secret_cipher=vault.encrypt(secret),
        events=_events(events),
        allows_private=allows_private,
        created_at=at,
    )
    session.add(row)
    _told(session, "webhook.created", row, by=by, at=at, after=_shown(row))
    return row, secret


def change(
    session: Session,
    *,
    webhook_id: int,
    by: Principal,
    at: datetime,
    url: str | None = None,
    events: Collection[str] | None = None,
    allows_private: bool | None = None,
) -> Webhook:
    """Send elsewhere, or of other events. What waits goes to the new address. Raises: NotAllowed, NotFound, Invalid."""
    row = _webhook(session, webhook_id, by)
    before = _shown(row)
    if allows_private is not None:
        row.allows_private = allows_private
    if url is not None or allows_private is not None:
        row.url = rules.check_url(row.url if url is None else url, allows_private=row.allows_private)
    if events is not None:
        row.events = _events(events)
    _told(session, "webhook.changed", row, by=by, at=at, before=before, after=_shown(row))
    return row


def rotate_secret(
    session: Session, *, webhook_id: int, by: Principal, at: datetime, vault: Vault, at_once: bool = False
) -> str:
    """A new signing secret, shown this once. The old one signs beside it for a day, unless it leaked (`at_once`)."""
    row = _webhook(session, webhook_id, by)
    secret = rules.secret_of(secrets.token_bytes(rules.KEY_BYTES))
    row.before_cipher = None if at_once else row.secret_cipher
    row.before_until = None if at_once else at + timedelta(seconds=rules.BEFORE_S)
    row.secret_cipher = vault.encrypt(secret)
    told = {"before_until": row.before_until.isoformat() if row.before_until else None}
    _told(session, "webhook.secret_rotated", row, by=by, at=at, after=told)
    return secret


def set_on(session: Session, *, webhook_id: int, is_on: bool, by: Principal, at: datetime) -> None:
    """Switch a webhook off or on. While it is off nothing is sent and nothing new kept; what waited goes out later."""
    row = _webhook(session, webhook_id, by)
    if row.is_on == is_on:
        return
    row.is_on, row.off_because = is_on, "" if is_on else f"{by.name} switched it off."
    _told(session, "webhook.switched_on" if is_on else "webhook.switched_off", row, by=by, at=at)


def test(session: Session, *, webhook_id: int, by: Principal, at: datetime, ids: Ids) -> Delivery:
    """Send a message that says nothing, to see whether it arrives. Raises: NotAllowed, NotFound, Conflict."""
    row = _webhook(session, webhook_id, by)
    if not row.is_on:
        raise Conflict("This webhook is switched off.", hint="Switch it on, then test it.")
    data = {"webhook": row.id, "message": "If you can read and verify this, the webhook works."}
    sent = _delivery(row, Event.TEST, rules.body(Event.TEST, shown("evt", ids.next()), data, at), at=at, ids=ids)
    session.add(sent)
    _told(session, "webhook.tested", row, by=by, at=at, after={"message": shown("msg", sent.id)})
    return sent


def redeliver(session: Session, *, delivery_id: int, by: Principal, at: datetime) -> None:
    """Send a message again that was delivered or given up, under the id it had.

    Raises:
        Conflict: it is still waiting, or its webhook is switched off.
    """
    found = session.get(Delivery, delivery_id)
    if found is None:
        raise NotFound("There is no such delivery.", hint="Choose one from the delivery log.")
    row = _webhook(session, found.webhook_id, by)
    if not row.is_on:
        raise Conflict("This webhook is switched off.", hint="Switch it on, then send again.")
    again = session.execute(
        update(Delivery)
        .where(col(Delivery.id) == delivery_id, col(Delivery.state) != State.WAITING)
        .values(state=State.WAITING, tries=0, next_at=at, lease_until=None, ended_at=None)
        .returning(col(Delivery.id))
    )
    if again.first() is None:
        raise Conflict("This message is waiting to be sent already.", hint="Look at it again in a moment.")
    _told(session, "webhook.redelivered", row, by=by, at=at, after={"message": shown("msg", delivery_id)})


def enqueue(session: Session, *, project_id: int, event: Event, data: Mapping[str, Any], at: datetime, ids: Ids) -> int:
    """Announce an event to every webhook of the project that wants it, in the caller's own transaction; how many."""
    query = select(Webhook).where(Webhook.project_id == project_id, col(Webhook.is_on))
    wanting = [row for row in session.exec(query) if event in row.events]
    if wanting:
        payload = rules.body(event, shown("evt", ids.next()), data, at)
        session.add_all([_delivery(row, event, payload, at=at, ids=ids) for row in wanting])
        session.flush()
    return len(wanting)


# What a sender does.


@dataclass(frozen=True, slots=True)
class Job:
    """A message in a sender's hand until `lease_until`; `ciphers` are of the secrets that sign, newest first."""

    id: int
    webhook_id: int
    url: str
    allows_private: bool
    payload: bytes = field(repr=False)
    ciphers: tuple[bytes, ...] = field(repr=False)
    tries: int
    lease_until: datetime

    @property
    def message_id(self) -> str:
        """The same in every try: receivers know a repetition by it."""
        return shown("msg", self.id)


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of a try: a status with the beginning of the answer, or no answer and why."""

    status: int | None = None
    error: str = ""
    answer: str = ""
    ms: float = 0.0
    retry_after_s: float | None = None


def claim_due(
    session: Session, *, at: datetime, limit: int, each: int, busy: Mapping[int, int] | None = None
) -> list[Job]:
    """Take up to `limit` messages whose time has come, up to `each` per webhook (less those `busy`), under a lease.

    Of several senders exactly one has a message: the change is conditional, and Postgres passes over rows that
    somebody else is just taking.
    """
    until = at + timedelta(seconds=LEASE_S)
    jobs: list[Job] = []
    for webhook_id in queries.due(session, at=at):
        room = min(each - (busy or {}).get(webhook_id, 0), limit - len(jobs))
        if room <= 0:
            continue
        free = session.exec(
            select(Delivery.id)
            .where(Delivery.webhook_id == webhook_id, *queries.is_due(at))
            .order_by(col(Delivery.next_at), col(Delivery.id))
            .limit(room)
            .with_for_update(skip_locked=True)
        ).all()
        taken = session.execute(
            update(Delivery)
            .where(col(Delivery.id).in_(free), *queries.is_due(at))
            .values(lease_until=until, tries=Delivery.tries + 1)
            .returning(col(Delivery.id), col(Delivery.tries), col(Delivery.payload))
            .execution_options(synchronize_session=False)
        ).all()
        row = session.get_one(Webhook, webhook_id)
        ciphers = [row.secret_cipher]
        if row.before_cipher is not None and row.before_until is not None and row.before_until > at:
            ciphers.append(row.before_cipher)
        jobs += [
            Job(number, webhook_id, row.url, row.allows_private, payload, tuple(ciphers), tries, until)
            for number, tries, payload in sorted(taken)
        ]
        if len(jobs) >= limit:
            break
    return jobs


def settle(session: Session, *, job: Job, heard: Heard, at: datetime, dice: float) -> State | None:
    """Write down what came of a try; None when the lease had run out and somebody else has the message by now."""
    row = session.exec(
        select(Delivery)
        .where(
            Delivery.id == job.id,
            Delivery.state == State.WAITING,
            Delivery.tries == job.tries,
            Delivery.lease_until == job.lease_until,
        )
        .with_for_update()
    ).first()
    if row is None:
        return None
    follows = rules.after(job.tries, status=heard.status, retry_after_s=heard.retry_after_s, dice=dice)
    told = {
        "at": at.isoformat(),
        "ms": round(heard.ms, 1),
        "status": heard.status,
        "error": heard.error,
        "answer": rows.text(heard.answer)[:KEPT_CHARACTERS],
    }
    row.attempts = [*row.attempts, told][-KEPT_ATTEMPTS:]
    row.state, row.lease_until = follows.state, None
    row.http_status, row.error = heard.status, heard.error
    if follows.wait_s is not None:
        row.next_at = at + timedelta(seconds=follows.wait_s)
    else:
        row.ended_at = at
    session.add(row)
    session.flush()
    if follows.state is State.GONE:
        _gone(session, job.webhook_id, at=at)
    return follows.state


def forget(session: Session, *, at: datetime, limit: int = 500) -> int:
    """Delete up to so many messages that had their end `KEPT` ago, delivered or given up; how many."""
    cutoff = at - KEPT
    few = (
        select(col(Delivery.id))
        .where(
            col(Delivery.id) < first_at(cutoff),  # the oldest by primary key: nearly all of them are due
            col(Delivery.state) != State.WAITING,
            col(Delivery.ended_at) < cutoff,
        )
        .order_by(col(Delivery.id))
        .limit(limit)
    )
    return len(session.execute(delete(Delivery).where(col(Delivery.id).in_(few)).returning(col(Delivery.id))).all())


def _gone(session: Session, webhook_id: int, *, at: datetime) -> None:
    """The receiver wants no more messages: the webhook is off until a person switches it on."""
    why = "The receiver answered 410 Gone: it wants no more messages."
    ended = session.execute(
        update(Webhook)
        .where(col(Webhook.id) == webhook_id, col(Webhook.is_on))
        .values(is_on=False, off_because=why)
        .returning(col(Webhook.project_id))
        .execution_options(synchronize_session=False)
    ).first()
    if ended is not None:
        told = {"is_on": False, "why": why}
        audit.append(
            session,
            by=SYSTEM,
            at=at,
            action="webhook.gone",
            target=f"webhook:{webhook_id}",
            project_id=int(ended[0]),
            after=told,
        )


def _delivery(row: Webhook, event: Event, payload: bytes, *, at: datetime, ids: Ids) -> Delivery:
    return Delivery(
        id=ids.next(),
        webhook_id=row.id or 0,
        project_id=row.project_id,
        event=event,
        payload=payload,
        made_at=at,
        next_at=at,
        attempts=[],
    )


def _webhook(session: Session, webhook_id: int, by: Principal) -> Webhook:
    row = session.exec(select(Webhook).where(Webhook.id == webhook_id).with_for_update()).first()
    if row is None:
        raise NotFound("There is no such webhook.", hint="Reload the page and choose again.")
    require(by, Permission.WEBHOOK_CHANGE, row.project_id)
    return row


def _events(chosen: Collection[str]) -> list[str]:
    unknown = sorted(set(chosen) - set(rules.CHOICES))
    if unknown or not chosen:
        raise Invalid(
            f"There is no event {unknown[0]!r}." if unknown else "A webhook needs an event to tell of.",
            code="invalid_event",
            param="events",
            hint=f"Choose from {', '.join(rules.CHOICES)}.",
        )
    return [event.value for event in rules.CHOICES if event in chosen]


def _shown(row: Webhook) -> dict[str, Any]:
    return {"url": rules.shown_url(row.url), "events": list(row.events), "allows_private": row.allows_private}


def _told(
    session: Session,
    action: str,
    row: Webhook,
    *,
    by: Principal,
    at: datetime,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    session.add(row)
    session.flush()
    audit.append(
        session,
        by=by,
        at=at,
        action=action,
        target=f"webhook:{row.id}",
        project_id=row.project_id,
        before=before,
        after=after,
    )

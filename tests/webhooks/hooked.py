"""A store with a project whose webhooks point at a receiver, and senders whose clock a test moves on."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import col, select

from core.db.engine import Database
from core.ids import Ids
from core.people import actions as people
from core.people.rules import CLI, SYSTEM
from core.vault import Vault
from core.webhooks import actions, queries
from core.webhooks.queries import DeliveryView
from core.webhooks.rules import CHOICES, Event
from core.webhooks.sender import Sender
from core.webhooks.tables import Delivery, Webhook
from core.wire.client import Timeouts

QUICK = Timeouts(connect_s=1.0, first_byte_s=1.0, between_s=1.0, total_s=1.0)
"""For a receiver that does not answer. Any other may need longer on a busy machine, and is given what it is outside."""


@dataclass
class Hooked:
    """`now` is what senders take for the time."""

    db: Database
    vault: Vault
    ids: Ids
    now: datetime
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    def __post_init__(self) -> None:
        with self.db.write() as session:
            people.ensure_default_project(session, by=SYSTEM, at=self.now)

    def later(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def webhook(self, url: str, **told: Any) -> tuple[int, str]:
        """A webhook's id and secret."""
        given = {"project_id": 1, "events": CHOICES, "allows_private": True, "by": CLI, "at": self.now} | told
        with self.db.write() as session:
            row, secret = actions.create(session, url=url, vault=self.vault, **given)
            assert row.id is not None
            return row.id, secret

    def announce(self, count: int = 1, event: Event = Event.COMPLETED) -> None:
        with self.db.write() as session:
            for number in range(count):
                data = {"id": f"resp_{number}"}
                actions.enqueue(session, project_id=1, event=event, data=data, at=self.now, ids=self.ids)

    def sender(self, db: Database | None = None, **told: Any) -> Sender:
        """A sender that is stopped when the test ends; it has no jitter and sends only when told to."""
        given = {"now": lambda: self.now, "dice": lambda: 0.0} | told
        sender = Sender(db or self.db, self.vault, **given)
        self.stack.push_async_callback(sender.stop)
        return sender

    async def send(self, sender: Sender) -> int:
        """One turn, until all of it is settled."""
        count = await sender.turn()
        await sender.drained()
        return count

    def log(self) -> list[DeliveryView]:
        """Every message, oldest first."""
        with self.db.read() as session:
            numbers = session.exec(select(Delivery.id).order_by(col(Delivery.id))).all()
            return [queries.delivery(session, number, project_ids=[1]) for number in numbers]

    def only(self) -> DeliveryView:
        (one,) = self.log()
        return one

    def row(self, webhook_id: int) -> Webhook:
        with self.db.read() as session:
            return session.get_one(Webhook, webhook_id)

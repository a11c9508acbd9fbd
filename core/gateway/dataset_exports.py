"""Examples of a dataset taken away through the browser: which, in what format, by whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session

from core.datasets import actions, export
from core.datasets.rules import Kind
from core.db.engine import Database
from core.errors import NotAllowed
from core.gateway import tickets
from core.gateway.tickets import Grant
from core.people.rules import Permission, Principal, require
from core.vault import Vault

WHAT = "dataset"
RIGHT = Permission.DATASET_READ


@dataclass(frozen=True, slots=True)
class Order:
    """What a page has granted: examples of a dataset in a format. None: the draft, all kinds, all splits."""

    actor: str
    project_id: int
    dataset_id: int
    format: str
    at: datetime
    version: int | None = None
    kind: Kind | None = None
    split: str | None = None

    @property
    def file_name(self) -> str:
        return f"{self.stem}.{export.ENDINGS[self.format]}"

    @property
    def stem(self) -> str:
        version = "draft" if self.version is None else f"v{self.version}"
        return f"dataset-{self.dataset_id}-{version}"

    @property
    def which(self) -> str:
        """`version 3, item, train`."""
        version = "draft" if self.version is None else f"version {self.version}"
        return ", ".join(filter(None, [version, self.kind or "", self.split or ""]))

    @property
    def examples(self) -> export.Order:
        return export.Order(self.dataset_id, (self.project_id,), self.version, self.kind, self.split)


def ticket(vault: Vault, order: Order, *, by: Principal) -> str:
    """The order as text for a link. Raises: NotAllowed without the right to read datasets."""
    require(by, RIGHT, order.project_id)
    told = {
        "dataset_id": order.dataset_id,
        "format": order.format,
        "version": order.version,
        "kind": order.kind,
        "split": order.split,
    }
    return tickets.sealed(vault, Grant(WHAT, by.actor, order.project_id, order.at, told))


def order_of(grant: Grant) -> Order:
    """The order of a ticket. Raises: NotAllowed when it is for something else."""
    if grant.what != WHAT:
        raise NotAllowed("This link is for something else.", hint="Export again from Datasets.")
    told = grant.told
    kind = None if told["kind"] is None else Kind(told["kind"])
    return Order(
        grant.actor, grant.project_id, told["dataset_id"], told["format"], grant.at, told["version"], kind,
        told["split"],
    )  # fmt: skip


def pieces(db: Database, order: Order) -> Iterator[bytes]:
    """The file, as it is read. Raises: NotFound when the dataset or the version is gone."""
    return export.pieces(db, order.examples, order.format)


def note(session: Session, order: Order, *, at: datetime, has_login: bool) -> None:
    """The trail knows who took which. Raises: NotAllowed, NotFound, and nothing is told."""
    by = tickets.taker(session, order.actor, RIGHT, order.project_id, has_login=has_login)
    what = f"{order.format}, {order.which}"
    actions.note_export(session, dataset_id=order.dataset_id, project_id=order.project_id, what=what, by=by, at=at)

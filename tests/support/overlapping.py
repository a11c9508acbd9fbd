"""Two people at once: the second acts while the first has acted and not yet committed."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from sqlalchemy import text
from sqlmodel import Session

from core.db.engine import Database
from core.errors import GreenroomError

Act = Callable[[Session], object]


def both(db: Database, first: Act, second: Act | None = None) -> tuple[object, object]:
    """What each got, or the error each was told; without a `second`, both do the same."""

    def run(act: Act) -> object:
        with db.write() as session:
            return act(session)

    with ThreadPoolExecutor(1) as pool:
        with db.write() as session:
            one = first(session)
            session.flush()
            other = pool.submit(_told, run, second or first)
            _await_waiting(db, other)
        return one, other.result(30)


def _told(run: Callable[[Act], object], act: Act) -> object:
    try:
        return run(act)
    except GreenroomError as error:
        return error


def _await_waiting(db: Database, other: Future[object]) -> None:
    """Until the second waits for the first; SQLite has one writer, so there it cannot do anything else."""
    end = time.monotonic() + 5
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    )
    while not db.is_sqlite and not other.done() and time.monotonic() < end:
        with db.reader.connect() as connection:
            if connection.execute(waiting).scalar_one():
                return

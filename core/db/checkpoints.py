"""Moves SQLite's write-ahead log into the database file beside the callers, so that no commit has to wait for it.

A first pass copies what is there on a connection of its own while commits go on; a second, with the writer's
connection held, copies the few pages that came meanwhile, so that the next commit starts the log anew and it never
grows without bound. Only with a SQLite that is safe to checkpoint from another connection (`SAFE_SQLITE`); an older one
lets the writer do it.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from core.db.engine import SAFE_SQLITE, Database, sqlite_version

LOOK_EVERY_S = 0.5
LARGE_LOG = 4 * 1024 * 1024

_log = logging.getLogger("greenroom.store")


class Checkpoints:
    """One thread that keeps the log small; nothing on Postgres."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        if db.is_sqlite and sqlite_version() >= SAFE_SQLITE and db.url.database:
            self._wal = Path(f"{db.url.database}-wal")
            self._thread = threading.Thread(target=self._work, name="greenroom-checkpoints", daemon=True)

    def start(self) -> None:
        if self._thread is not None:
            self._set_automatic(0)
            self._thread.start()

    def stop(self) -> None:
        """End the thread; the writer checkpoints by itself again."""
        if self._thread is not None:
            self._ended.set()
            self._thread.join()
            self._thread = None
            self._set_automatic(2000)

    def _set_automatic(self, pages: int) -> None:
        with _driver(self._db.writer) as writer:
            writer.execute(f"PRAGMA wal_autocheckpoint={pages}")

    def _work(self) -> None:
        while not self._ended.wait(LOOK_EVERY_S):
            try:
                if self._wal.stat().st_size > LARGE_LOG:
                    self._checkpoint()
            except FileNotFoundError:
                continue
            except Exception:
                _log.exception("the write-ahead log could not be moved into the database; trying again")

    def _checkpoint(self) -> None:
        with _driver(self._db.reader) as beside:
            beside.execute("PRAGMA query_only=OFF")
            try:
                beside.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
            finally:
                beside.execute("PRAGMA query_only=ON")
        with _driver(self._db.writer) as writer:
            writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()


@contextlib.contextmanager
def _driver(engine: Engine) -> Iterator[Any]:
    """The driver's own connection, taken from the pool for a moment."""
    with contextlib.closing(engine.raw_connection()) as pooled:
        yield pooled.driver_connection

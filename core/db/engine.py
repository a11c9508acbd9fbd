"""The database: one place that opens it, reads it and writes it.

SQLite has one writer connection in the process, which alone checkpoints, and readers that cannot write; so
people's actions and the recorder never meet `SQLITE_BUSY` among themselves, and no WAL is reset under a reader
(the corruption bug of SQLite before 3.51.3). Postgres has a pool for each too: a verdict never waits for pages.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import math
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry, QueuePool
from sqlmodel import Session

from core.db import rows
from core.db.fair import FairPool
from core.errors import StoreUnavailable

SAFE_SQLITE = (3, 51, 3)
WRITERS = 3  # transactions at once, on Postgres: more of them only wait for the interpreter, locks in hand


@functools.cache
def sqlite_module() -> ModuleType:
    """The newest SQLite at hand: the wheel that carries its own, else the interpreter's."""
    try:
        return importlib.import_module("pysqlite3.dbapi2")
    except ImportError:
        return importlib.import_module("sqlite3.dbapi2")


def sqlite_version() -> tuple[int, ...]:
    """The version of the SQLite library in use."""
    return tuple(int(part) for part in sqlite_module().sqlite_version.split("."))


class Database:
    """An open store: `read()` for queries, `write()` for one transaction of actions.

    Raises: StoreUnavailable when `url` is not the address of a database; whether one is there shows at the first use.
    """

    def __init__(self, url: str, *, durability: str = "process", pool_size: int = 10) -> None:
        try:
            self._open(url, durability=durability, pool_size=pool_size)
        except (ArgumentError, ImportError, ValueError):
            raise StoreUnavailable(
                "GREENROOM_DATABASE_URL is not the address of a database.",
                hint="Use postgresql://user:password@host/name or sqlite:////absolute/path.db.",
            ) from None

    def _open(self, url: str, *, durability: str, pool_size: int) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            if self.url.database:
                with contextlib.suppress(OSError):  # said with a sentence when it is opened
                    Path(self.url.database).touch(mode=0o600)  # others on this machine have no business in it
            self.reader = self._sqlite(writes=False, durability=durability, pool_size=pool_size)
            self.writer = self._sqlite(writes=True, durability=durability, pool_size=1)
        else:
            self.reader = self._postgres(durability=durability, pool_size=pool_size)
            self.writer = self._postgres(durability=durability, pool_size=min(WRITERS, pool_size))

    def _postgres(self, *, durability: str, pool_size: int) -> Engine:
        commit = "on" if durability == "power" else "local"
        return create_engine(
            self.url,
            poolclass=FairPool,
            pool_size=pool_size,
            max_overflow=0,  # a connection beyond the pool is made and thrown away for each transaction
            pool_timeout=60,
            pool_pre_ping=True,  # 5 % of a verdict; without it a server that restarts fails what comes next
            connect_args={"options": f"-c timezone=UTC -c synchronous_commit={commit} -c lock_timeout=15000"},
        )

    def _sqlite(self, *, writes: bool, durability: str, pool_size: int) -> Engine:
        engine = create_engine(
            self.url,
            module=sqlite_module(),
            connect_args={"check_same_thread": False, "timeout": 15},
            poolclass=FairPool if writes else QueuePool,
            pool_size=pool_size,
            max_overflow=0 if writes else 20,
            pool_timeout=60,
        )

        @event.listens_for(engine, "connect")
        def _prepare(connection: Any, _record: Any) -> None:
            connection.isolation_level = None
            cursor = connection.cursor()
            cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute(f"PRAGMA synchronous={'FULL' if durability == 'power' else 'NORMAL'}")
            cursor.execute("PRAGMA foreign_keys=ON")
            cursor.execute("PRAGMA secure_delete=FAST")
            cursor.execute("PRAGMA temp_store=MEMORY")
            cursor.execute("PRAGMA mmap_size=0")
            cursor.execute(f"PRAGMA cache_size={-32_000 if writes else -16_000}")
            if writes:
                cursor.execute("PRAGMA wal_autocheckpoint=2000")
            else:
                cursor.execute("PRAGMA wal_autocheckpoint=0")
                cursor.execute("PRAGMA query_only=ON")
            cursor.close()

        @event.listens_for(engine, "begin")
        def _begin(connection: Any) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

        return engine

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session for queries; on SQLite it cannot write."""
        with Session(self.reader) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction: committed when the block ends, undone when it raises."""
        with Session(self.writer, expire_on_commit=False) as session, session.begin():
            if self.is_sqlite:
                yield session
            else:
                rows.await_last(session)
                yield session
                rows.commit_last(session)

    def room(self) -> float:
        """Bytes that are free where the store lies; infinite where that is not known here: on a server of its own."""
        if not self.is_sqlite or not self.url.database:
            return math.inf
        return shutil.disk_usage(Path(self.url.database).parent).free

    def close(self) -> None:
        """Close every connection; one that a thread still uses, as soon as that gives it back."""
        for engine in {self.reader, self.writer}:
            event.listen(engine.pool, "checkin", _close)
            engine.dispose()


def _close(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.invalidate()

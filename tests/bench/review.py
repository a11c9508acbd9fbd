"""How many verdicts a queue takes: fifty people who claim and decide at once, on SQLite and on Postgres.

Each round has a store of its own; every item is claimed and decided in a transaction each, by threads with connections
of their own. What is reported is the best of several rounds: whatever else this machine does only slows a round down.
"""

from __future__ import annotations

import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from core.clock import now
from core.db.engine import Database
from core.ids import Ids
from core.schema import migrate
from tests.review.crowd import Crowd
from tests.review.waiting import Waiting
from tests.support import postgres

REVIEWERS = (1, 10, 50)
ITEMS = 1_000
ROUNDS = 3


def rate(url: str, reviewers: int, items: int) -> float:
    """Decisions per second of one round."""
    db = Database(url)
    try:
        migrate.upgrade(db)
        crowd = Crowd(Waiting(db, Ids(1), now()).fill(items), reviewers).run()
        crowd.check(each=1)
        return len(crowd.decided) / crowd.seconds
    finally:
        db.close()


@contextmanager
def _sqlite() -> Iterator[str]:
    folder = Path(tempfile.mkdtemp(prefix="gr-bench-"))
    yield f"sqlite:///{folder / 'greenroom.db'}"
    shutil.rmtree(folder)


@contextmanager
def _postgres(server: postgres.Server) -> Iterator[str]:
    name = f"bench_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
        yield server.url(name)
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)'.encode())


def main(*, items: int = ITEMS, rounds: int = ROUNDS) -> None:
    bindir = postgres.binaries()
    server = postgres.Server(bindir) if bindir else None
    if server is None:
        print(postgres.INSTALL)
    try:
        for reviewers in REVIEWERS:
            for name in ("sqlite", "postgres") if server else ("sqlite",):
                rates = []
                for _ in range(rounds):
                    with _sqlite() if server is None or name == "sqlite" else _postgres(server) as url:
                        rates.append(rate(url, reviewers, items))
                told = ", ".join(f"{one:,.0f}" for one in rates)
                print(f"{name:8} {reviewers:3} reviewers: {max(rates):6,.0f} decisions/s, best of {told}", flush=True)
    finally:
        if server is not None:
            server.close()


if __name__ == "__main__":
    main()

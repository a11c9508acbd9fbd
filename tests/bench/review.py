"""How many verdicts a queue takes: fifty people who claim and decide at once, on SQLite and on Postgres.

Each round has a store of its own; every item is claimed and decided in a transaction each, by threads with connections
of their own. What is reported is the best of several rounds: whatever else this machine does only slows a round down.
"""

from __future__ import annotations

import math
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
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
ITEMS = 2_000
WHERE = (("sqlite", 1), ("postgres", 1), ("postgres", 2))
ROUNDS = 3


def rate(url: str, reviewers: int, items: int, *, processes: int = 1) -> float:
    """Decisions per second of one round; with two processes, as behind two consoles, half of the people at each."""
    db = Database(url)
    try:
        migrate.upgrade(db)
        waiting = Waiting(db, Ids(1), now()).fill(items)
        crowd = Crowd(waiting, reviewers)
        if processes == 1:
            crowd.run(lapses=False)
        else:
            share, first = reviewers // processes, math.inf
            with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
                told = [pool.submit(_far, url, waiting.queue_id, n, share) for n in range(processes)]
                for one in told:
                    decided, began, ended = one.result()
                    crowd.decided += decided
                    first, crowd.ended = min(first, began), max(crowd.ended, ended)
            crowd.seconds = crowd.ended - first
        crowd.check(each=1)
        return len(crowd.decided) / crowd.seconds
    finally:
        db.close()


def _far(url: str, queue_id: int, number: int, reviewers: int) -> tuple[list[tuple[int, str]], float, float]:
    """One process's part of a crowd: what it decided, and from when to when."""
    db = Database(url)
    try:
        here = Waiting(db, Ids(10 + number), now(), queue_id=queue_id)
        crowd = Crowd(here, reviewers, first=number * reviewers)
        began = time.time()
        crowd.run(lapses=False)
        return crowd.decided, began, began + crowd.seconds
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
            for name, processes in WHERE if server else WHERE[:1]:
                if processes > reviewers:
                    continue
                rates = []
                for _ in range(rounds):
                    with _sqlite() if server is None or name == "sqlite" else _postgres(server) as url:
                        rates.append(rate(url, reviewers, items, processes=processes))
                told = ", ".join(f"{one:,.0f}" for one in rates)
                at = f"{name}, {processes} process{'es' if processes > 1 else ''}"
                print(f"{at:23} {reviewers:3} reviewers: {max(rates):6,.0f}/s, best of {told}", flush=True)
    finally:
        if server is not None:
            server.close()


if __name__ == "__main__":
    main()

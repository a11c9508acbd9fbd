"""The writer goes to who has waited longest, also when those before take it again and again."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError, PendingRollbackError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core.db.engine import Database


def test_among_many_nobody_waits_for_more_than_the_others_turns(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path / 'x.db'}")
    longest: list[float] = []
    turns = 30

    def work() -> None:
        waited = 0.0
        for _ in range(turns):
            began = time.perf_counter()
            with db.write() as session:
                session.execute(text("SELECT 1"))
                waited = max(waited, time.perf_counter() - began)
                time.sleep(0.001)
        longest.append(waited)

    threads = [threading.Thread(target=work) for _ in range(16)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = time.perf_counter() - began
    assert max(longest) < whole / turns * 6  # a fair turn is whole / turns
    db.close()


def test_a_turn_that_fails_or_ends_in_an_error_is_passed_on(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path / 'x.db'}")
    for _ in range(3):
        with pytest.raises(OperationalError), db.write() as session:
            session.execute(text("SELECT * FROM nowhere"))
    with pytest.raises(PendingRollbackError), db.write() as session:
        session.connection().invalidate()
    with db.write() as session:
        assert session.execute(text("SELECT 1")).scalar() == 1
    db.close()
    with db.write() as session:
        assert session.execute(text("SELECT 1")).scalar() == 1
    db.close()


def test_who_waits_too_long_hears_it_and_the_next_has_the_turn(tmp_path: Path) -> None:
    db = Database(f"sqlite:///{tmp_path / 'x.db'}")
    db.writer.pool._timeout = 0.05  # type: ignore[attr-defined]
    with db.write() as session:
        session.execute(text("SELECT 1"))
        with pytest.raises(PoolTimeout), db.write() as other:
            other.execute(text("SELECT 1"))
    with db.write() as session:
        assert session.execute(text("SELECT 1")).scalar() == 1
    db.close()

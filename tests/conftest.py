"""Fixtures every test may use: a migrated store on SQLite and on Postgres, a vault, ids, a fixed moment.

`db` runs a test twice, once per database. A machine without Postgres skips that half and says what to install;
under `CI` a skip is a failure.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import psycopg
import pytest

from core.db.engine import Database
from core.ids import Ids
from core.schema import migrate
from core.vault import Vault
from tests.support import compiled, postgres
from tests.support.browser import chromium, window
from tests.support.missing import lacking

hypothesis.settings.register_profile("house", deadline=None)  # a busy machine is no failure
hypothesis.settings.load_profile("house")

__all__ = ["chromium", "lacking", "window"]  # one browser for all of a process's tests

LONGEST = (
    "journeys/test_screens.py", "journeys/test_review_desk.py", "journeys/test_playground_work.py",
    "journeys/test_hostile_feedback.py", "journeys/test_login.py", "journeys/test_playground_browser.py",
    "serve/test_troubles.py", "journeys/test_start.py", "journeys/test_kill.py", "review/test_life.py",
    "review/test_attacks.py", "serve/test_hostile_upstream.py", "journeys/test_kill_held.py", "evals/test_running.py",
    "pages/test_experiment_runs.py", "pages/test_review_queue.py", "pages/test_review_quality.py",
    "pages/test_side_by_side.py", "cli/test_evaluating.py", "gateway/test_live_tests.py", "gateway/test_holding.py",
    "pages/test_review_datasets.py", "pages/test_playground.py",
)  # fmt: skip
"""The files that take longest, first of all: else the whole check waits for the last of them alone."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    places = {here / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path, len(LONGEST)))


@pytest.fixture(scope="session", autouse=True)
def compiled_once() -> Iterator[None]:
    """Every test opens a store of its own; what is said to all of them is compiled for the first."""
    with compiled.once():
        yield


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty, migrated SQLite store to copy from."""
    file = tmp_path_factory.mktemp("store") / "migrated.db"
    db = Database(f"sqlite:///{file}")
    migrate.upgrade(db)
    with db.writer.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    db.close()
    return file


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """The address of a Postgres server whose databases tests may make and drop."""
    if url := os.environ.get("TEST_DATABASE_URL"):
        yield url
        return
    bindir = postgres.binaries()
    if bindir is None:
        lacking(postgres.INSTALL)
    server = postgres.Server(bindir)
    try:
        yield server.url()
    finally:
        server.close()


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> str:
    """The name of an empty, migrated database to copy from."""
    name = f"template_{uuid.uuid4().hex[:10]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    db = Database(f"{postgres_url.rsplit('/', 1)[0]}/{name}")
    migrate.upgrade(db)
    db.close()
    return name


@pytest.fixture
def sqlite_url(migrated_file: Path, tmp_path: Path) -> str:
    """A fresh migrated SQLite store."""
    shutil.copy(migrated_file, tmp_path / "greenroom.db")
    return f"sqlite:///{tmp_path / 'greenroom.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def unmade(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A store nobody has migrated; the test runs once per database."""
    name = f"u_{uuid.uuid4().hex[:12]}"
    if request.param == "sqlite":
        database = Database(f"sqlite:///{tmp_path / name}.db")
        yield database
        database.close()
        return
    server = request.getfixturevalue("postgres_url")
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    database = Database(f"{server.rsplit('/', 1)[0]}/{name}")
    yield database
    database.close()
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


@pytest.fixture
def fresh_postgres(postgres_url: str, postgres_template: str) -> Iterator[str]:
    """A fresh migrated Postgres database, dropped afterwards."""
    name = f"t_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        copied = " STRATEGY FILE_COPY" if connection.info.server_version >= 150_000 else ""  # twice as fast when small
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{postgres_template}"{copied}'.encode())
    yield f"{postgres_url.rsplit('/', 1)[0]}/{name}"
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest) -> str:
    """The address of a fresh migrated store; the test runs once per database."""
    return request.getfixturevalue("sqlite_url" if request.param == "sqlite" else "fresh_postgres")


@pytest.fixture
def db(store_url: str) -> Iterator[Database]:
    """An open, fresh, migrated store; the test runs once per database."""
    database = Database(store_url, pool_size=4)
    yield database
    database.close()


@pytest.fixture
def vault() -> Vault:
    return Vault("a-master-key-for-tests-only-0123456789")


@pytest.fixture
def ids() -> Ids:
    return Ids(1)


@pytest.fixture
def at() -> datetime:
    return datetime(2026, 11, 2, 9, 30, tzinfo=UTC)

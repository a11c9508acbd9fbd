"""The watch over the event loop, which guards the tests of gateway, serve and wire, sees what it is there for."""

from __future__ import annotations

import asyncio

import pytest
from blockbuster import BlockingError

from core.db.engine import Database
from core.schema import migrate
from tests.support.blocking import watching

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_the_store_is_not_read_on_the_loop(db: Database) -> None:
    with watching() as seen, pytest.raises(BlockingError, match="Pool"):
        migrate.revision(db)
    (told,) = seen
    assert "Pool.connect on the event loop" in told
    assert "test_the_store_is_not_read_on_the_loop" in told


async def test_a_folder_is_not_listed_on_the_loop() -> None:
    with watching() as seen, pytest.raises(BlockingError):
        migrate.newest()
    assert seen


async def test_a_thread_may_wait_and_so_may_what_a_test_asks_itself(db: Database) -> None:
    with watching() as seen:
        assert await asyncio.to_thread(migrate.revision, db) == revision(db)
    assert seen == []


def revision(db: Database) -> str | None:
    return migrate.revision(db)

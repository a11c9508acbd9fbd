"""The migrations make exactly the tables the code expects, on both databases."""

from __future__ import annotations

from core.db.engine import Database
from core.schema import migrate


def test_a_migrated_store_has_the_shape_of_the_models(db: Database) -> None:
    with db.reader.connect() as connection:
        assert migrate.differences(connection) == []


def test_migrating_twice_changes_nothing(db: Database) -> None:
    migrate.upgrade(db)
    assert migrate.revision(db) == migrate.newest()

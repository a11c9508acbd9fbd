"""The store is opened and closed whole."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from core.db.engine import Database


def test_a_connection_in_use_when_the_store_closes_is_closed_when_it_is_given_back(unmade: Database) -> None:
    dialect = unmade.writer.dialect.dbapi
    with unmade.writer.connect() as connection:
        raw = connection.connection.dbapi_connection
        unmade.close()
        assert connection.execute(text("SELECT 1")).scalar() == 1
    assert raw is not None
    assert dialect is not None
    with pytest.raises(dialect.Error, match="closed"):
        raw.cursor()

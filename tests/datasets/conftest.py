"""A dataset in a store of the test's own."""

from __future__ import annotations

from datetime import datetime

import pytest

from core.db.engine import Database
from core.ids import Ids
from tests.datasets.sets import Sets, opened


@pytest.fixture
def sets(db: Database, ids: Ids, at: datetime) -> Sets:
    """One empty dataset; the test runs once per database."""
    return opened(db, ids, at)

"""A store with a clock, on both databases."""

from __future__ import annotations

from datetime import datetime

import pytest

from core.db.engine import Database
from core.ids import Ids
from tests.trials.lab import Lab


@pytest.fixture
def lab(db: Database, ids: Ids, at: datetime) -> Lab:
    return Lab(db, ids, at)

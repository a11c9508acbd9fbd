"""An arena on both databases."""

from __future__ import annotations

from datetime import datetime

import pytest

from core.db.engine import Database
from core.ids import Ids
from tests.votes.arena import Arena


@pytest.fixture
def arena(db: Database, ids: Ids, at: datetime) -> Arena:
    return Arena(db, ids, at)

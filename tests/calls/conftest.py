"""What the tests of the record share: a running recorder, and its calls read back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from core.calls.recorder import Recorder
from core.db.engine import Database


@pytest.fixture
def recorder(db: Database) -> Iterator[Recorder]:
    made = Recorder(db)
    made.start()
    yield made
    made.stop()

"""Webhooks on SQLite and on Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime

import pytest

from core.db.engine import Database
from core.ids import Ids
from core.vault import Vault
from tests.webhooks.hooked import Hooked


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def hooked(db: Database, vault: Vault, ids: Ids, at: datetime) -> AsyncIterator[Hooked]:
    made = Hooked(db, vault, ids, at)
    async with made.stack:
        yield made

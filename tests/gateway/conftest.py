"""A house per test, on SQLite and on Postgres."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support import upstream
from tests.support.blocking import nothing_blocks
from tests.support.house import House, standing

__all__ = ["nothing_blocks"]  # for every test here


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
async def house(store_url: str, tmp_path: Path) -> AsyncIterator[House]:
    async with upstream.running() as double, standing(tmp_path / "data", store_url, double) as built:
        yield built

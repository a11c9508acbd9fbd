"""A house per test, on SQLite and on Postgres."""

from __future__ import annotations

from tests.gateway.conftest import anyio_backend, house
from tests.pages.conftest import here

__all__ = ["anyio_backend", "here", "house"]

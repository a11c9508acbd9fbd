"""Statements compiled once per process: each test opens a store of its own, and SQLAlchemy keeps what it compiled with
the engine it was compiled for, so that every test would compile the same hundred statements again."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Dialect, Engine, create_engine, event

from core.db import engine as opening

STATEMENTS = 5_000
"""More than there are, so that none is compiled twice."""


@contextmanager
def once() -> Iterator[None]:
    """While it lasts, engines of one driver and one server share the dialect of the first of them, and its cache."""
    known: dict[Hashable, tuple[Dialect, Any]] = {}

    def created(url: Any, **told: Any) -> Engine:
        made = create_engine(url, query_cache_size=STATEMENTS, **told)
        kind = (type(made.dialect), made.dialect.loaded_dbapi, made.url.host, made.url.port)
        if kind in known:
            made.dialect, made._compiled_cache = known[kind]
            made.pool._dialect = made.dialect
        else:  # known to others once it has asked its server what that can do

            @event.listens_for(made, "connect", once=True)
            def _(*_: object) -> None:
                known.setdefault(kind, (made.dialect, made._compiled_cache))

        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(opening, "create_engine", created)
        yield

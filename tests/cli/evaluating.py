"""Eval files, and a command line whose store knows the double."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal
from sqlmodel import select

from core.db.engine import Database
from tests.cli.test_cli import Run, run
from tests.support import upstream
from tests.support.upstream import Double

__all__ = ["run"]

HEAD = "greenroom: eval/1\nname: Echoes\n"
ITEMS = "items:\n  - {input: one, expected: 'echo: one'}\n  - {input: two, expected: 'echo: two'}\n"
EXACT = "scorers: [{kind: exact, name: right}]\n"
ALL = "thresholds: [{on: pass share, scorer: right, least: 1}]\n"
DOUBLE = "variants: [{model: double/m}]\n"


@pytest.fixture
def double() -> Iterator[Double]:
    """A double on a loop of its own: the command has the test's thread."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(upstream.running()) as made:
        yield made


@pytest.fixture
def ready(run: Run, double: Double) -> Run:
    """A command line whose store knows the double."""
    assert run("backend", "add", "double", double.url)[0] == 0
    return run


def write(folder: Path, text: str, name: str = "echoes.yaml") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def every(store_url: str, table: Any) -> list[Any]:
    db = Database(store_url)
    try:
        with db.read() as session:
            return list(session.exec(select(table)))
    finally:
        db.close()

"""Greenroom's gateway under load: recording on and durable, next to the bare pass-through of the same run."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from core import clock
from core.catalog import actions as catalog
from core.db.engine import Database
from core.people import actions as people
from core.people.rules import CLI
from core.runtime import Runtime
from core.settings import Settings
from tests.bench.servers import Running, free_port, started

MODEL = "double/small"


def prepared(folder: Path, upstream_url: str, database_url: str = "") -> str:
    """A store with the double as a priced backend; the key to ask with."""
    opened = Runtime(Settings(data_dir=folder, database_url=database_url, probe_local=False), kind="bench")
    with opened.db.write() as session:
        told = {"by": CLI, "at": clock.now()}
        catalog.add_backend(session, name="double", base_url=upstream_url, vault=opened.vault, key="sk-x", **told)
        since = datetime(2026, 1, 1, tzinfo=UTC)
        prices = {"input_usd": Decimal("0.5"), "output_usd": Decimal(2)}
        catalog.set_price(session, backend="double", model="small", starts_at=since, **prices, **told)
        _, key = people.create_key(session, project_id=1, name="bench", vault=opened.vault, **told)
    opened.db.close()
    return key


@contextlib.contextmanager
def start_gateway(upstream: Running, database_url: str = "") -> Iterator[tuple[Running, str, Path]]:
    """The HTTP face alone in one process; its key and its data folder."""
    with tempfile.TemporaryDirectory(prefix="greenroom-bench-") as name:
        folder = Path(name)
        key = prepared(folder, upstream.url, database_url)
        port = free_port()
        command = [sys.executable, "-m", "uvicorn", "core.gateway.app:create", "--factory", "--port", str(port)]
        command += ["--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]
        settings = {"GREENROOM_DATA_DIR": name, "GREENROOM_DATABASE_URL": database_url}
        with started(command, port, **settings) as running:
            yield running, key, folder


def count(folder: Path, database_url: str = "") -> int:
    """How many calls a store has recorded."""
    db = Database(database_url or f"sqlite:///{folder / 'greenroom.db'}")
    with db.reader.connect() as connection:
        found = connection.exec_driver_sql("SELECT count(*) FROM call").scalar_one()
    db.close()
    return int(found)


__all__ = ["MODEL", "count", "prepared", "start_gateway", "subprocess"]

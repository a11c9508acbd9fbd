"""Greenroom's gateway under load: recording on and durable, next to the bare pass-through of the same run."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

from core import clock
from core.catalog import actions as catalog
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
def start_gateway(upstream: Running, database_url: str = "") -> Iterator[Running]:
    """The HTTP face alone in one process, as `greenroom gateway` starts it."""
    with tempfile.TemporaryDirectory(prefix="greenroom-bench-") as name:
        folder = Path(name)
        key = prepared(folder, upstream.url, database_url)
        port = free_port()
        settings = {"GREENROOM_DATA_DIR": name, "GREENROOM_DATABASE_URL": database_url}
        with started(gateway_command(port), port, **settings) as running:
            yield replace(running, key=key, model=MODEL)


def gateway_command(port: int) -> list[str]:
    return [sys.executable, "-c", "from core.cli import main; main()", "gateway", "--port", str(port)]

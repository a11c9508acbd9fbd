"""What the doctor finds by asking: the store, the usual port, every backend."""

from __future__ import annotations

import asyncio
import os

from sqlmodel import Session

from core import settings
from core.catalog import discovery, queries
from core.catalog.rules import BackendView
from core.cli import opening
from core.cli.checkup import Finding, State
from core.cli.serving import PORT, in_use
from core.db import process, trouble
from core.db.engine import SAFE_SQLITE, Database, sqlite_version
from core.errors import GreenroomError
from core.schema import migrate
from core.vault import Vault
from core.wire.client import Client, Timeouts

MANY = 100


def store(chosen: settings.Settings) -> list[Finding]:
    """Whether the store can be reached and written to, and at which version it is."""
    if _is_new(chosen):
        return [Finding(State.OK, f"Store: made at the first start, in {chosen.data_dir}"), *_sqlite(is_used=True)]
    try:
        with trouble.told():
            db = opening.database(chosen)
            try:
                at = migrate.revision(db)
                version = _server(db)
                if at == migrate.newest():
                    _try_to_write(db)
            finally:
                db.close()
    except GreenroomError as error:
        hint = "Check that it runs, that this user may write to it, and GREENROOM_DATABASE_URL."
        return [Finding(State.FAIL, f"Store: {error.message}", hint)]
    found = [Finding(State.OK, f"Store: {version}"), *_sqlite(is_used=db.is_sqlite)]
    return [*found, _shape(at)]


def _shape(at: str | None) -> Finding:
    """How the store's version stands to this program's."""
    newest = migrate.newest()
    if at == newest:
        return Finding(State.OK, f"Migrations: at {at}, the newest")
    if at is not None and at > newest:
        said = f"Migrations: at {at}, and this version knows them up to {newest}"
        return Finding(State.FAIL, said, "Start the newer version that made this store, or restore a backup.")
    return Finding(State.WARN, f"Migrations: at {at or 'nothing'}, this version wants {newest}", "greenroom migrate")


def _is_new(chosen: settings.Settings) -> bool:
    return not chosen.database_url and not os.access(chosen.data_dir / "greenroom.db", os.F_OK)


def _try_to_write(db: Database) -> None:
    with Session(db.writer) as session:
        process.touch(session)
        session.rollback()


def _server(db: Database) -> str:
    shown = db.url.render_as_string(hide_password=True)
    if db.is_sqlite:
        return f"SQLite at {db.url.database}"
    with db.reader.connect() as connection:
        version = connection.dialect.server_version_info or ()
    return f"Postgres {'.'.join(str(part) for part in version)} at {shown}"


def _sqlite(*, is_used: bool) -> list[Finding]:
    if not is_used:
        return []
    version = sqlite_version()
    shown = ".".join(str(part) for part in version)
    if version >= SAFE_SQLITE:
        return [Finding(State.OK, f"SQLite library: {shown}")]
    return [
        Finding(
            State.WARN,
            f"SQLite library: {shown} has the WAL-reset bug; one writing connection keeps clear of it",
            "Install the pysqlite3 wheel (it carries a newer one), and let no other program write to the store.",
        )
    ]


def ports() -> list[Finding]:
    """Who has the usual port."""
    if not in_use("127.0.0.1", PORT):
        return [Finding(State.OK, f"Port {PORT}: free")]
    if asyncio.run(_is_greenroom()):
        return [Finding(State.OK, f"Port {PORT}: Greenroom is running there")]
    return [Finding(State.WARN, f"Port {PORT}: in use by another program", "Start with --port.")]


async def _is_greenroom() -> bool:
    client = Client()
    try:
        timeouts = Timeouts(connect_s=1, first_byte_s=2, between_s=2, total_s=3)
        reply = await client.send("GET", f"http://127.0.0.1:{PORT}/healthz", timeouts=timeouts)
        await reply.read(10_000)
        return reply.status == 200 and "json" in reply.headers.get("content-type", "")
    except GreenroomError:
        return False
    finally:
        await client.aclose()


def backends(chosen: settings.Settings) -> list[Finding]:
    """Whether each backend that is switched on answers with its models."""
    if _is_new(chosen):
        return []
    try:
        with trouble.told():
            db = opening.database(chosen)
            try:
                if migrate.revision(db) != migrate.newest():
                    return []
                with db.read() as session:
                    views = queries.snapshot(session, _vault(chosen)).backends.values()
            finally:
                db.close()
    except GreenroomError as error:
        return [Finding(State.FAIL, f"Backends: {error.message}", error.hint)]
    asked = [view for view in views if view.is_enabled and view.base_url][:MANY]
    return asyncio.run(_ask(asked)) if asked else [Finding(State.OK, "Backends: only the embedded one")]


def _vault(chosen: settings.Settings) -> Vault:
    from core.vault import open_vault

    return open_vault(chosen.data_dir, chosen.secret_key)


async def _ask(views: list[BackendView]) -> list[Finding]:
    client = Client()
    try:
        return list(await asyncio.gather(*(_one(client, view) for view in views)))
    finally:
        await client.aclose()


async def _one(client: Client, view: BackendView) -> Finding:
    try:
        models = await discovery.discover(client, view)
    except GreenroomError as error:
        return Finding(State.FAIL, f"Backend {view.name}: {error.message}", error.hint)
    if not models:
        return Finding(State.WARN, f"Backend {view.name}: answers and has no models", "Load a model there.")
    return Finding(State.OK, f"Backend {view.name}: {len(models)} models at {view.base_url}")

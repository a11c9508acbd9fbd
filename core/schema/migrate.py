"""Bring a store to today's shape: `greenroom migrate`, and every start.

alembic is imported only where there is something to do: a start that finds its store up to date saves its weight.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, text

from core.db.engine import Database
from core.errors import StoreUnavailable

_HERE = Path(__file__).parent
_LOCK = 7_264_001  # any fixed number: replicas that start together migrate one after the other


def newest() -> str:
    """The revision this code expects: migrations are named after theirs, in order."""
    return max(file.name.partition("_")[0] for file in (_HERE / "versions").glob("[0-9]*.py"))


def revision(db: Database) -> str | None:
    """The revision the store is at; None when it is empty."""
    with db.reader.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(db: Database, to: str = "head") -> None:
    """Run every migration up to `to` that the store has not seen, in one transaction.

    Raises: StoreUnavailable when the store was made by a newer version.
    """
    if revision(db) == newest():
        return
    from alembic.config import Config
    from alembic.runtime.environment import EnvironmentContext
    from alembic.script import ScriptDirectory
    from alembic.util.exc import CommandError

    from core.schema.tables import METADATA

    config = Config()
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("path_separator", "os")
    script = ScriptDirectory.from_config(config)

    def steps(rev: Any, _context: Any) -> Any:
        return script._upgrade_revs(to, rev)

    with (
        db.writer.connect() as connection,
        connection.begin(),
        EnvironmentContext(Config(), script, fn=steps, destination_rev=to) as environment,
    ):
        if not db.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        environment.configure(connection=connection, target_metadata=METADATA, include_object=is_ours)
        try:
            environment.run_migrations()
        except CommandError:
            raise StoreUnavailable(
                "The store was made by a newer version of Greenroom.", hint="Start that version, or restore a backup."
            ) from None


def is_ours(obj: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    """Whether a table belongs to the models; the search index has no model and is left alone."""
    return not (kind == "table" and str(name).startswith("call_text"))


def differences(connection: Connection) -> list[Any]:
    """What the store's shape lacks or has beyond the models; empty when they agree."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from core.schema.tables import METADATA

    context = MigrationContext.configure(connection, opts={"include_object": is_ours})
    return list(compare_metadata(context, METADATA))

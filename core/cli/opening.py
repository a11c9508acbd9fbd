"""Opening the store for a command: settings read, key at hand, tables there; trouble told in a sentence."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import pydantic
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from core import clock, settings
from core.db.engine import Database
from core.errors import GreenroomError
from core.people.rules import CLI, Principal
from core.schema import migrate
from core.vault import Vault, open_vault


class StoreTrouble(GreenroomError):
    """The store cannot be opened or used."""

    code = "store_unavailable"


@dataclass(frozen=True, slots=True)
class Store:
    """What a command works with; `by` is the command line itself, `at` the moment it began."""

    settings: settings.Settings
    db: Database
    vault: Vault = field(repr=False)
    by: Principal
    at: datetime


def load() -> settings.Settings:
    """The settings. Raises: StoreTrouble naming the one that cannot be used."""
    try:
        return settings.load()
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        name = "_".join(["GREENROOM", *(str(part).upper() for part in first["loc"])])
        raise StoreTrouble(
            f"The setting {name} cannot be used: {first['msg']}.",
            hint="Change it in the environment or in .streamlit/secrets.toml.",
        ) from None
    except ValueError as error:
        raise StoreTrouble(
            f".streamlit/secrets.toml cannot be read: {error}.", hint="Mend the file; it is TOML."
        ) from None


def database(chosen: settings.Settings) -> Database:
    """The store as configured, not yet touched. Raises: StoreTrouble."""
    if not chosen.database_url:
        chosen.data_dir.mkdir(parents=True, exist_ok=True)
    try:
        return Database(chosen.url, durability=chosen.durability, pool_size=4)
    except (ArgumentError, NoSuchModuleError, ImportError, ValueError):
        raise StoreTrouble(
            "GREENROOM_DATABASE_URL is not the address of a database.",
            hint="Use postgresql://user:password@host/name or sqlite:////absolute/path.db.",
        ) from None


@contextmanager
def told() -> Iterator[None]:
    """Turn a database's error into a sentence without its address, which carries a password."""
    try:
        yield
    except (DBAPIError, sqlite3.Error, OSError) as error:
        if isinstance(error, BrokenPipeError):
            raise
        reason = str(getattr(error, "orig", None) or error).strip().split("\n")[0]
        raise StoreTrouble(f"The store cannot be used: {reason}.", hint="`greenroom doctor` looks closer.") from None


@contextmanager
def store() -> Iterator[Store]:
    """The open store at this version's shape; migrated first where it is older."""
    with told():
        chosen = load()
        db = database(chosen)
        try:
            if migrate.revision(db) != migrate.newest():
                upgrade(db)
            yield Store(chosen, db, open_vault(chosen.data_dir, chosen.secret_key), CLI, clock.now())
        finally:
            db.close()


def upgrade(db: Database) -> None:
    """Run the migrations. Raises: StoreTrouble when the store was made by a newer version."""
    from alembic.util.exc import CommandError

    try:
        migrate.upgrade(db)
    except CommandError:
        raise StoreTrouble(
            "The store was made by a newer version of Greenroom.", hint="Start that version, or restore a backup."
        ) from None

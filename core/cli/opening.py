"""Opening the store for a command: settings read, key at hand, tables there; trouble told in a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import pydantic

from core import clock, settings
from core.db.engine import Database
from core.db.trouble import told
from core.errors import Invalid
from core.people.rules import CLI, Principal
from core.schema import migrate
from core.vault import Vault, open_vault


@dataclass(frozen=True, slots=True)
class Store:
    """What a command works with; `by` is the command line itself, `at` the moment it began."""

    settings: settings.Settings
    db: Database
    vault: Vault = field(repr=False)
    by: Principal
    at: datetime


def load() -> settings.Settings:
    """The settings. Raises: Invalid naming the one that cannot be used."""
    try:
        return settings.load()
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        name = "_".join(["GREENROOM", *(str(part).upper() for part in first["loc"])])
        raise Invalid(
            f"The setting {name} cannot be used: {first['msg']}.",
            hint="Change it in the environment or in .streamlit/secrets.toml.",
        ) from None
    except ValueError as error:
        raise Invalid(f".streamlit/secrets.toml cannot be read: {error}.", hint="Mend the file; it is TOML.") from None


def database(chosen: settings.Settings) -> Database:
    """The store as configured, not yet touched. Raises: StoreUnavailable."""
    if not chosen.database_url:
        chosen.data_dir.mkdir(parents=True, exist_ok=True)
    return Database(chosen.url, durability=chosen.durability, pool_size=4)


@contextmanager
def store() -> Iterator[Store]:
    """The open store at this version's shape; migrated first where it is older."""
    with told():
        chosen = load()
        db = database(chosen)
        try:
            migrate.upgrade(db)
            yield Store(chosen, db, open_vault(chosen.data_dir, chosen.secret_key), CLI, clock.now())
        finally:
            db.close()

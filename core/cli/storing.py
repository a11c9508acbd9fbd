"""`greenroom migrate` and `greenroom backup`."""

from __future__ import annotations

from pathlib import Path

import click

from core.cli import opening
from core.db import trouble


@click.command()
def migrate() -> None:
    """Bring the store to this version's shape. Every start does this too."""
    from core.schema import migrate as migrations

    with trouble.told():
        db = opening.database(opening.load())
        try:
            before = migrations.revision(db)
            migrations.upgrade(db)
            after = migrations.revision(db)
        finally:
            db.close()
    click.echo(
        f"The store is at {after}." if before == after else f"The store went from {before or 'nothing'} to {after}."
    )


@click.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
def backup(file: Path) -> None:
    """Copy the store into FILE while it is in use, readable by you alone.

    The secret key is not in it: keep data/secret.key (or GREENROOM_SECRET_KEY) safe and apart.
    """
    from core.cli import backups

    with trouble.told():
        chosen = opening.load()
        size = backups.make(chosen.url, file)
    click.echo(f"{file} has the whole store ({size / 1e6:.1f} MB), checked.")
    click.echo("Keep secret.key (or GREENROOM_SECRET_KEY) apart from it: stored backend keys need it.", err=True)

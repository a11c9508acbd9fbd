"""`greenroom audit verify`."""

from __future__ import annotations

import click

from core.audit import queries
from core.cli import opening


@click.group()
def audit() -> None:
    """The append-only trail of who changed what."""


@audit.command()
def verify() -> None:
    """Check every link of the trail; name the first bad row."""
    with opening.store() as store, store.db.read() as session:
        verdict = queries.verify(session)
        last = queries.last_hash(session) if verdict.ok else ""
    if not verdict.ok:
        click.echo(f"The trail is broken at row {verdict.first_bad}: {verdict.why}.", err=True)
        raise SystemExit(1)
    click.echo(f"The trail is whole: {verdict.rows} rows, the last hash is {last}.")
    click.echo("Keep that hash elsewhere: it proves later that nothing before it was rewritten.", err=True)

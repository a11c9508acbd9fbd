"""`greenroom key create | list | revoke`."""

from __future__ import annotations

import click

from core.cli import opening, owning
from core.cli.listing import moment, table
from core.people import actions, queries
from core.people.rules import KeyScope


@click.group()
def key() -> None:
    """API keys of a project: made once, shown once."""


@key.command()
@click.argument("name")
@click.option("--project", default=None, help="The project it belongs to (the only one, or 'default').")
@click.option(
    "--for",
    "scope",
    type=click.Choice([scope.value for scope in KeyScope]),
    default=KeyScope.APPLICATION.value,
    show_default=True,
    help="What it opens: the gateway, or the project's prompts for `greenroom prompt --server`.",
)
def create(name: str, project: str | None, scope: str) -> None:
    """Make an API key named NAME. Standard output has the key and nothing else."""
    with opening.store() as store:
        with store.db.write() as session:
            actions.ensure_default_project(session, by=store.by, at=store.at)
            owner = owning.project(session, project)
            _, plain = actions.create_key(
                session, project_id=owner.id, name=name, by=store.by, at=store.at, vault=store.vault,
                scope=KeyScope(scope),
            )  # fmt: skip
        click.echo(plain)
        click.echo(f"The key {name!r} of the project {owner.name!r}. It is not shown again.", err=True)


@key.command("list")
@click.option("--project", default=None, help="Only this project's keys.")
def list_keys(project: str | None) -> None:
    """Every key, without its secret."""
    with opening.store() as store, store.db.read() as session:
        owners = [queries.project_by_name(session, project)] if project else queries.projects(session)
        rows = [
            (str(row.id), owner.name, row.name, row.scope, f"{row.prefix}…", moment(row.created_at), _state(row, store))
            for owner in owners
            for row in queries.keys(session, project_id=owner.id)
        ]
    table(
        ("id", "project", "name", "for", "key", "created", "state"),
        rows,
        empty="There is no key yet: greenroom key create NAME",
    )


@key.command()
@click.argument("number", metavar="ID", type=int)
def revoke(number: int) -> None:
    """End the key with this ID (`greenroom key list`) now."""
    with opening.store() as store:
        with store.db.write() as session:
            actions.revoke_key(session, key_id=number, by=store.by, at=store.at)
        click.echo(f"Key {number} is revoked.")


def _state(row: queries.KeyView, store: opening.Store) -> str:
    if row.revoked_at is not None:
        return f"revoked {moment(row.revoked_at)}"
    if row.expires_at is not None:
        return f"{'expired' if row.expires_at <= store.at else 'expires'} {moment(row.expires_at)}"
    return "in use"

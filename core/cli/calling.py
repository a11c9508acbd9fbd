"""`greenroom calls export`."""

from __future__ import annotations

import sys

import click

from core.calls import export as exports
from core.calls import filters
from core.cli import opening
from core.people import queries


@click.group()
def calls() -> None:
    """Recorded calls."""


@calls.command()
@click.option("--format", "kind", type=click.Choice(exports.FORMATS), default="jsonl", show_default=True)
@click.option("--since", default="", metavar="T", help="7d, 12h, or a date or time (UTC) such as 2026-11-01.")
@click.option("--until", default="", metavar="T", help="As --since; a date includes that day.")
@click.option("--model", default="", help="Only calls this model was asked for or answered.")
@click.option("--project", default=None, help="Only this project's calls.")
def export(kind: str, since: str, until: str, model: str, project: str | None) -> None:
    """Write calls to standard output, newest first, with tags and messages; streamed, so any number."""
    wanted = filters.from_params({"since": since, "until": until, "model": model})
    with opening.store() as store:
        with store.db.read() as session:
            chosen = [queries.project_by_name(session, project)] if project else queries.projects(session)
        project_ids = [row.id for row in chosen]
        for piece in exports.rows(store.db, wanted, kind, project_ids=project_ids, at=store.at):
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()

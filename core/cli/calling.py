"""`greenroom calls export`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping

import click

from core import clock
from core.audit import actions as audit
from core.calls import export as exports
from core.calls import filters
from core.calls.filters import Filters
from core.cli import opening
from core.guard.masking import Private
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
@click.option(
    "--private-words", "why", default="", metavar="REASON",
    help="Do not mask what policies found private; the reason goes into the audit trail.",
)  # fmt: skip
def export(kind: str, since: str, until: str, model: str, project: str | None, why: str) -> None:
    """Write calls to standard output, newest first, with tags and messages; streamed, so any number.

    What policies found private is masked.
    """
    wanted = filters.from_params({"since": since, "until": until, "model": model})
    with opening.store() as store:
        with store.db.read() as session:
            chosen = [queries.project_by_name(session, project)] if project else queries.projects(session)
        for piece in _noted(store, [row.id for row in chosen], wanted, kind, why.strip()):
            sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()


def _noted(store: opening.Store, project_ids: list[int], wanted: Filters, kind: str, why: str) -> Iterator[bytes]:
    """The calls; the trail has who takes which, and why, before the first goes out, and how many when it ends."""
    told = {"filters": filters.to_params(wanted), "format": kind, "private": "in the clear" if why else "masked"}
    _note(store, project_ids, "calls.exported", told | ({"reason": why[:500]} if why else {}))
    taken = exports.Taken()
    try:
        yield from exports.rows(
            store.db, wanted, kind,
            project_ids=project_ids, masks=Private(project_ids), in_clear=bool(why), taken=taken, at=store.at,
        )  # fmt: skip
    finally:
        after = {"calls": taken.calls, "with private words": taken.private, "private": told["private"]}
        _note(store, project_ids, "calls.export_ended", after | {"complete": taken.is_whole})


def _note(store: opening.Store, project_ids: list[int], action: str, after: Mapping[str, object]) -> None:
    """One entry for each project, so that its admins see it."""
    with store.db.write() as session:
        for number in project_ids:
            audit.append(
                session, by=store.by, at=clock.now(), action=action, target="calls", project_id=number, after=after
            )

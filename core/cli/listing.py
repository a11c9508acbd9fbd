"""Rows for a terminal: columns as wide as their widest cell, nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click

from core.log import plain


def table(titles: Sequence[str], rows: Sequence[Sequence[str]], *, empty: str) -> None:
    """Print rows under their titles, or say on standard error that there are none.

    Cells may hold what a stranger wrote (an error of a backend): it is told, and does nothing to the terminal.
    """
    rows = [[plain(cell) for cell in row] for row in rows]
    if not rows:
        click.echo(empty, err=True)
        return
    widths = [max(len(row[column]) for row in (titles, *rows)) for column in range(len(titles))]
    for row in (titles, *rows):
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def moment(at: datetime) -> str:
    """A moment to the minute, in UTC."""
    return f"{at:%Y-%m-%d %H:%M}Z"

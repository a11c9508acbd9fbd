"""`greenroom worker`."""

from __future__ import annotations

import asyncio
import signal
import sys

import anyio
import click

from core import runtime, settings
from core.cli import opening
from core.db import trouble
from core.errors import Invalid
from core.evals import spreading
from core.evals.chunks import Part


@click.command()
@click.option(
    "--seats",
    default=2,
    show_default=True,
    type=click.IntRange(1, 64),
    help="How many parts of runs are asked at once.",
)
def worker(seats: int) -> None:
    """Ask cells of runs for the cluster that GREENROOM_WORKERS names, until it is stopped."""
    chosen = opening.load()
    _check(chosen)
    with trouble.told():
        anyio.run(_work, chosen.workers, seats, backend_options={"use_uvloop": sys.platform != "win32"})


def _check(chosen: settings.Settings) -> None:
    """Raises: Invalid when this process could not ask anything for anyone."""
    if not chosen.workers:
        raise Invalid(
            "There is no cluster to work for.",
            hint="Set GREENROOM_WORKERS to the scheduler's address, such as tcp://127.0.0.1:8786.",
        )
    spreading.check()
    if not chosen.secret_key and not (chosen.data_dir / "secret.key").is_file():
        raise Invalid(
            "This worker has no secret key, and one of its own would open nothing.",
            hint="Give it the server's GREENROOM_SECRET_KEY and GREENROOM_DATABASE_URL, or its data folder.",
        )


async def _work(address: str, seats: int) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with runtime.running("worker") as opened:
        part = Part(opened.runner.many, opened.vault)

        def ready() -> None:
            click.echo(f"Asking for {address}. Ctrl+C stops it.")

        await spreading.serve(address, part, seats=seats, stopped=stopped, ready=ready)

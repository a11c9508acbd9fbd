"""`greenroom backend add | list`."""

from __future__ import annotations

import asyncio
import sys

import click

from core.catalog import actions, address, discovery, queries
from core.catalog.discovered import Discovered
from core.catalog.rules import BackendView
from core.cli import opening
from core.cli.listing import moment, table
from core.errors import Upstream
from core.wire.client import Client


@click.group()
def backend() -> None:
    """Servers that speak the OpenAI protocol, on this machine or elsewhere."""


@backend.command()
@click.argument("name")
@click.argument("url")
@click.option("--key-env", default="", metavar="VAR", help="The environment variable that has the key.")
@click.option("--key-stdin", is_flag=True, help="Read the key from standard input and store it encrypted.")
@click.option("--discover", "discovers", is_flag=True, help="Ask it for its models and switch them on.")
@click.option("--price-provider", default="", help="Whose list prices it charges, when its address does not tell.")
@click.option("--take-over", is_flag=True, help="Take over model names that begin with NAME/.")
def add(
    name: str, url: str, key_env: str, key_stdin: bool, discovers: bool, price_provider: str, take_over: bool
) -> None:
    """Connect the server at URL under NAME. A key is never an argument: others could read it.

    For example: greenroom backend add openai https://api.openai.com/v1 --key-env OPENAI_API_KEY --discover
    """
    if key_env and key_stdin:
        raise click.UsageError("--key-env and --key-stdin exclude each other.")
    key = sys.stdin.readline() if key_stdin else None
    if key_stdin and not (key and key.strip()):
        raise click.UsageError("--key-stdin was given and standard input is empty.")
    with opening.store() as store:
        with store.db.write() as session:
            actions.add_backend(
                session,
                name=name,
                base_url=url,
                key=key,
                key_env=key_env,
                price_provider=price_provider,
                takes_over=take_over,
                by=store.by,
                at=store.at,
                vault=store.vault,
            )
        with store.db.read() as session:
            view = queries.backend_view(session, store.vault, name)
        click.echo(f"Added {name} at {view.base_url}.")
        if view.key and address.travels_in_clear(view.base_url):
            click.echo("Its key travels unencrypted: use https if the server can.", err=True)
        if discovers:
            _discover(store, view)


def _discover(store: opening.Store, view: BackendView) -> None:
    try:
        models = asyncio.run(_models(view))
    except Upstream as error:
        with store.db.write() as session:
            actions.record_check(session, name=view.name, result=str(error), by=store.by, at=store.at)
        raise
    with store.db.write() as session:
        actions.record_check(session, name=view.name, result="", by=store.by, at=store.at)
        actions.save_discovered(session, name=view.name, models=models, by=store.by, at=store.at)
    shown = ", ".join(model.name for model in models[:10]) + (", …" if len(models) > 10 else "")
    click.echo(f"It has {len(models)} models: {shown}." if models else "It answers and has no models yet.")


async def _models(view: BackendView) -> list[Discovered]:
    client = Client()
    try:
        return await discovery.discover(client, view)
    finally:
        await client.aclose()


@backend.command("list")
def list_backends() -> None:
    """Every backend, without its key."""
    with opening.store() as store, store.db.read() as session:
        rows = [
            (
                row.name,
                row.base_url or "(embedded)",
                f"${row.key_env}" if row.key_env else row.key_kind or "none",
                str(row.models),
                "on" if row.is_enabled else "off",
                _checked(row),
            )
            for row in queries.backends(session)
        ]
    hint = "There is no backend yet: greenroom backend add NAME URL"
    table(("name", "address", "key", "models", "state", "last test"), rows, empty=hint)


def _checked(row: queries.BackendRow) -> str:
    if row.checked_at is None:
        return "never"
    return f"{moment(row.checked_at)} {row.check_result or 'ok'}"

"""`greenroom prompt list | pull | push | label`: prompts as files of a repository."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from core.cli import shelves, writing
from core.cli.listing import moment, table
from core.errors import Invalid
from core.prompts import files, versions
from core.prompts.files import PromptFile

ENDINGS = (".yaml", ".yml", ".json")
_project = click.option("--project", default=None, help="The project (the only one, or 'default').")
_server = click.option(
    "--server",
    envvar="GREENROOM_SERVER",
    default="",
    metavar="URL",
    help="A Greenroom on another machine, by the key for a repository in GREENROOM_API_KEY.",
)


@click.group()
def prompt() -> None:
    """Prompts: list, write to files, read from files, move a label."""


@prompt.command("list")
@_project
@_server
@click.option("--folder", default="", help="Only this folder, and what is in it.")
def list_prompts(project: str | None, server: str, folder: str) -> None:
    """Every prompt with its labels."""
    with shelves.opened(server, project) as shelf:
        rows = [
            (
                row.name,
                str(row.newest),
                " ".join(f"{label}={number}" for label, number in row.labels.items()),
                moment(row.changed_at),
            )
            for row in shelf.rows(folder)
        ]
    table(("name", "newest", "labels", "changed"), rows, empty="There is no prompt yet: `greenroom prompt push FILE`.")


@prompt.command()
@click.argument("wanted", metavar="NAME[@LABEL]...", nargs=-1)
@click.option("--all", "is_all", is_flag=True, help="Every prompt of the project.")
@click.option(
    "--to",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("prompts"),
    show_default=True,
    help="The folder the files go to.",
)
@click.option("--json", "is_json", is_flag=True, help="JSON instead of YAML.")
@_project
@_server
def pull(wanted: tuple[str, ...], is_all: bool, folder: Path, is_json: bool, project: str | None, server: str) -> None:
    """Write prompts to files, one each: what @LABEL names, else the newest version of main."""
    if bool(wanted) == is_all:
        raise Invalid("Name the prompts to write, or say --all.", hint="`greenroom prompt list` shows them.")
    with shelves.opened(server, project) as shelf:
        for one in [row.name for row in shelf.rows("") if row.latest] if is_all else wanted:
            found = shelf.taken(one)
            path = folder / f"{versions.check_name(found.file.name)}{'.json' if is_json else '.yaml'}"
            writing.write(path, (files.to_json(found.file) if is_json else files.to_yaml(found.file)).encode())
            click.echo(f"{path}  version {found.number}")


@prompt.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--label", default="", help="Move this label to what was pushed.")
@click.option("--branch", default=versions.MAIN, show_default=True, help="The branch the versions go to.")
@click.option("--note", default="", help="What is new, where a file has no note.")
@click.option("--check", "is_check", is_flag=True, help="Change nothing; exit with 1 when something would change.")
@_project
@_server
def push(
    paths: tuple[Path, ...], label: str, branch: str, note: str, is_check: bool, project: str | None, server: str
) -> None:
    """Keep prompts from files (or every file of a folder): a new version where a file says something new.

    All or nothing: one file that cannot be read, or one label that is protected, and nothing is kept.
    """
    read = [(path, _read(path)) for path in _files(paths)]
    where = {file.name: path for path, file in read}
    with shelves.opened(server, project) as shelf:
        found = shelf.kept([file for _, file in read], label=label, branch=branch, note=note, is_check=is_check)
    for one in found:
        what = f"new version {one.number}" if one.is_new else f"version {one.number}, as it was"
        click.echo(f"{where[one.name]}  {one.name}  {what}{f', {label} moved' if one.has_moved else ''}")
    if is_check and any(one.is_new or one.has_moved for one in found):
        sys.exit(1)


@prompt.command()
@click.argument("wanted", metavar="NAME@VERSION")
@click.argument("label")
@click.option("--note", default="", help="Why.")
@_project
@_server
def label(wanted: str, label: str, note: str, project: str | None, server: str) -> None:
    """Let LABEL name a version (or what another label names): `greenroom prompt label support@staging production`."""
    with shelves.opened(server, project) as shelf:
        found = shelf.moved(wanted, label, note=note)
    click.echo(f"{found.name}@{label} is version {found.number}{'' if found.has_moved else ', as it was'}")


def _files(paths: tuple[Path, ...]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        inside = sorted(one for one in path.rglob("*") if one.suffix in ENDINGS) if path.is_dir() else [path]
        if not inside:
            raise Invalid(f"There is no prompt's file in {path}.", hint=f"Files end in {', '.join(ENDINGS)}.")
        found += inside
    return list(dict.fromkeys(found))


def _read(path: Path) -> PromptFile:
    try:
        return files.read(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{path} cannot be read: {error}.", code="prompt_file") from None
    except Invalid as error:
        raise Invalid(f"{path}: {error.message}", hint=error.hint, code=error.code) from None

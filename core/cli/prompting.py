"""`greenroom prompt list | pull | push | label`: prompts as files of a repository."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from sqlmodel import Session

from core.cli import opening, owning
from core.cli.listing import moment, table
from core.db import process
from core.errors import Invalid
from core.ids import Ids
from core.people import actions as people
from core.prompts import actions, files, includes, queries, releases, versions
from core.prompts.files import PromptFile
from core.prompts.includes import reference
from core.prompts.versions import LATEST
from core.prompts.views import PromptView

ENDINGS = (".yaml", ".yml", ".json")
_project = click.option("--project", default=None, help="The project (the only one, or 'default').")


@click.group()
def prompt() -> None:
    """Prompts: list, write to files, read from files, move a label."""


@prompt.command("list")
@_project
@click.option("--folder", default="", help="Only this folder, and what is in it.")
def list_prompts(project: str | None, folder: str) -> None:
    """Every prompt with its labels."""
    with opening.store() as store, store.db.read() as session:
        owner = owning.project(session, project)
        rows = [
            (
                row.name,
                str(row.newest),
                " ".join(f"{label}={number}" for label, number in row.labels.items()),
                moment(row.changed_at),
            )
            for row in _every(session, owner.id, folder)
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
def pull(wanted: tuple[str, ...], is_all: bool, folder: Path, is_json: bool, project: str | None) -> None:
    """Write prompts to files, one each: what @LABEL names, else the newest version of main."""
    if bool(wanted) == is_all:
        raise Invalid("Name the prompts to write, or say --all.", hint="`greenroom prompt list` shows them.")
    with opening.store() as store, store.db.read() as session:
        owner = owning.project(session, project)
        if is_all:
            chosen = [(row, LATEST) for row in _every(session, owner.id, "") if row.latest]
        else:
            asked = [reference(one) for one in wanted]
            chosen = [
                (queries.named(session, one.name, project_id=owner.id), str(one.number or one.label or LATEST))
                for one in asked
            ]
        for row, which in chosen:
            number = row.entry.number(reference(f"{row.name}@{which}"))
            made = queries.version(session, row.id, number, project_ids=[owner.id])
            file = PromptFile(row.name, made.content, row.description, row.tags, made.note)
            path = folder / f"{row.name}{'.json' if is_json else '.yaml'}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files.to_json(file) if is_json else files.to_yaml(file), encoding="utf-8")
            click.echo(f"{path}  version {number}")


@prompt.command()
@click.argument("paths", metavar="PATH...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--label", default="", help="Move this label to what was pushed.")
@click.option("--branch", default=versions.MAIN, show_default=True, help="The branch the versions go to.")
@click.option("--note", default="", help="What is new, where a file has no note.")
@click.option("--check", "is_check", is_flag=True, help="Change nothing; exit with 1 when something would change.")
@_project
def push(paths: tuple[Path, ...], label: str, branch: str, note: str, is_check: bool, project: str | None) -> None:
    """Keep prompts from files (or every file of a folder): a new version where a file says something new.

    All or nothing: one file that cannot be read, or one label that is protected, and nothing is kept.
    """
    read = [(path, _read(path)) for path in _files(paths)]
    told: list[str] = []
    changes = 0
    with opening.store() as store, store.db.write() as session:
        people.ensure_default_project(session, by=store.by, at=store.at)
        owner = owning.project(session, project)
        ids = Ids(process.register(session, "cli"))
        for path, file in _ordered(read):
            saved = actions.push(
                session, project_id=owner.id, file=file, note=note, branch=branch, by=store.by, at=store.at
            )
            moved = bool(label) and releases.move(
                session, prompt_id=saved.prompt_id, label=label, number=saved.number, by=store.by, at=store.at, ids=ids
            )
            changes += saved.is_new or moved
            what = f"new version {saved.number}" if saved.is_new else f"version {saved.number}, as it was"
            told.append(f"{path}  {file.name}  {what}{f', {label} moved' if moved else ''}")
        if is_check:
            session.rollback()
    for line in told:
        click.echo(line)
    if is_check and changes:
        sys.exit(1)


@prompt.command()
@click.argument("wanted", metavar="NAME@VERSION")
@click.argument("label")
@click.option("--note", default="", help="Why.")
@_project
def label(wanted: str, label: str, note: str, project: str | None) -> None:
    """Let LABEL name a version (or what another label names): `greenroom prompt label support@staging production`."""
    asked = reference(wanted)
    with opening.store() as store, store.db.write() as session:
        owner = owning.project(session, project)
        row = queries.named(session, asked.name, project_id=owner.id)
        number = row.entry.number(reference(f"{asked.name}@{asked.number or asked.label or LATEST}"))
        moved = releases.move(
            session, prompt_id=row.id, label=label, number=number, by=store.by, at=store.at, note=note,
            ids=Ids(process.register(session, "cli")),
        )  # fmt: skip
    click.echo(f"{row.name}@{label} is version {number}{'' if moved else ', as it was'}")


def _every(session: Session, project_id: int, folder: str) -> list[PromptView]:
    found: list[PromptView] = []
    while page := queries.prompts(
        session, project_ids=[project_id], folder=folder, after=found[-1].name if found else "", limit=200
    ):
        found += page
    return found


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


def _ordered(read: list[tuple[Path, PromptFile]]) -> list[tuple[Path, PromptFile]]:
    """Included prompts before those that include them, so that a folder can be pushed at once."""
    left = dict(enumerate(read))
    names = {file.name: number for number, (_, file) in left.items()}
    if len(names) < len(left):
        twice = next(file.name for number, (_, file) in left.items() if names[file.name] != number)
        raise Invalid(f"Two files are both of the prompt {twice!r}.", hint="Keep one of them.")
    done: list[tuple[Path, PromptFile]] = []
    while left:
        ready = [
            number
            for number, (_, file) in left.items()
            if not any(
                names.get(includes.reference(one).name, -1) in left for one in includes.references(file.content.texts)
            )
        ]
        if not ready:
            stuck = ", ".join(file.name for _, file in left.values())
            raise Invalid(f"These prompts include each other in a circle: {stuck}.", code="include")
        done += [left.pop(number) for number in ready]
    return done

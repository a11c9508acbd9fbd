"""`greenroom eval FILE`: a run over examples for CI, whose end is an exit code.

The run is one like any other: it stands in the store and in the console. This process works on it, and on no other.
"""

from __future__ import annotations

import asyncio
import logging
import math
import signal
import sys
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import click
import orjson
from anyio import to_thread

from core import clock, ids
from core.catalog import queries as catalog
from core.cli import opening, owning, writing
from core.cli.listing import table
from core.db import trouble
from core.errors import GreenroomError, Invalid, StoreUnavailable
from core.evals import files, foreseeing, functions, preparing, promptfoo, reporting, translating
from core.evals.files import Wanted
from core.evals.measuring import Exit
from core.evals.promptfoo import Remark
from core.evals.reporting import Report
from core.experiments import actions, queries
from core.experiments.queries import RunView
from core.experiments.rules import State
from core.ids import Ids
from core.log import plain
from core.people.rules import CLI
from core.runtime import Runtime

CONSOLE = "http://127.0.0.1:8501"
LOOK_S = 0.2
_PROMPTFOO = frozenset({"prompts", "providers", "targets", "tests"})
HELP = (files.__doc__ or "").partition("\n\n")[2]
log = logging.getLogger("greenroom.evals")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the command line says."""

    wanted: Wanted
    dataset: str
    project: str | None
    resume: int | None
    cap_usd: Decimal | None
    junit: Path | None
    json: Path | None


@click.command("eval", epilog=f"\b\nA file:\n{HELP}", context_settings={"max_content_width": 120})
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--junit", type=click.Path(dir_okay=False, path_type=Path), help="Write a report as JUnit XML.")
@click.option("--json", "json_", type=click.Path(dir_okay=False, path_type=Path), help="Write the result as JSON.")
@click.option("--max-cost", default="", metavar="USD", help="Stop at this cost, whatever the file says.")
@click.option("--resume", default="", metavar="exp_…", help="Go on with this run: what was not asked, and what failed.")
@click.option("--dry-run", is_flag=True, help="Read the file, say what it will take, ask and keep nothing.")
@click.option("--lenient", is_flag=True, help="Of a promptfoo file, run what is understood.")
@click.option("--judge", default="", metavar="MODEL", help="What grades promptfoo's llm-rubric.")
@click.option("--embedder", default="", metavar="MODEL", help="What embeds for promptfoo's similar.")
@click.option("--dataset", default="", metavar="NAME", help="What the dataset of the file's own examples is called.")
@click.option("--project", default=None, help="The project (the only one, or 'default').")
def evaluate(
    file: Path,
    junit: Path | None,
    json_: Path | None,
    max_cost: str,
    resume: str,
    dry_run: bool,
    lenient: bool,
    judge: str,
    embedder: str,
    dataset: str,
    project: str | None,
) -> None:
    """Ask every variant every example of FILE, score the answers, and hold them against its thresholds.

    FILE is an eval file (YAML or JSON), or one of promptfoo's. Its own examples become a dataset, of which a version is
    kept when something has changed. Exit code: 0 every threshold is met · 1 one is not · 2 the file or the command is
    wrong · 3 it cannot be told, because cells failed or were not asked, or a scorer failed on all · 130 interrupted.
    """
    try:
        asked = _Asked(
            wanted=_read(file, lenient=lenient, judge=judge, embedder=embedder),
            dataset=(dataset or f"{file.resolve().parent.name}/{file.name}")[-64:].strip(),
            project=project,
            resume=_run_id(resume),
            cap_usd=_usd(max_cost),
            junit=junit,
            json=json_,
        )
        for report in filter(None, (junit, json_)):
            writing.check(report)
        with trouble.told():
            code = _count(asked) if dry_run else asyncio.run(_evaluate(asked))
    except StoreUnavailable as error:
        click.echo(plain(str(error)), err=True)
        code = Exit.UNKNOWN
    except GreenroomError as error:
        click.echo("\n".join(map(plain, str(error).split("\n"))), err=True)
        code = Exit.MISUSED
    except (KeyboardInterrupt, asyncio.CancelledError):
        code = Exit.INTERRUPTED
    except Exception:  # an exit code of 1 would say that a threshold was broken
        log.exception("the eval broke off")
        code = Exit.UNKNOWN
    sys.exit(int(code))


# The file


def _read(file: Path, *, lenient: bool, judge: str, embedder: str) -> Wanted:
    """What the file asks for. Raises: Invalid."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{file} cannot be read: {error}.", code="eval_file") from None
    top = files.document(text)
    if files.is_ours(top):
        wanted = files.read(top)
        return _beside(file, wanted) if wanted.beside else wanted
    if not isinstance(top.value, dict) or not _PROMPTFOO & top.value.keys():
        raise Invalid(
            f"{file} is no eval file: it has no “greenroom: {files.FORMAT}”, and is not promptfoo's either.",
            code="eval_file",
            hint="`greenroom eval --help` shows how a file looks.",
        )
    said = promptfoo.read(text, files=promptfoo.within(file.parent), judge=judge, embedder=embedder)
    wanted, remarks = translating.wanted(said, name=file.name)
    _tell(remarks, lenient=lenient)
    return wanted


def _tell(remarks: tuple[Remark, ...], *, lenient: bool) -> None:
    """Name what is not understood. Raises: Invalid unless the rest is to be run all the same."""
    for remark in remarks:
        click.echo(plain(str(remark)), err=True)
    if remarks and not lenient:
        raise Invalid(
            "Not all of the promptfoo file is understood.",
            code="promptfoo",
            hint="Change them, or run the rest with --lenient.",
        )


def _beside(file: Path, wanted: Wanted) -> Wanted:
    path = file.parent / wanted.beside
    try:
        with path.open("rb") as data:
            return files.beside(wanted, data)
    except OSError as error:
        raise Invalid(f"{path} cannot be read: {error.strerror}.", code="eval_file") from None


def _run_id(shown: str) -> int | None:
    found = ids.read("exp", shown) if shown else None
    if shown and found is None:
        raise Invalid(f"{shown[:40]!r} is no run.", hint="A run is named like exp_06d3v8kq2xw1m.")
    return found


def _usd(given: str) -> Decimal | None:
    if not given:
        return None
    try:
        found = Decimal(given.removeprefix("$"))
    except InvalidOperation:
        found = Decimal(0)
    if not found.is_finite() or found <= 0:
        raise Invalid(f"{given[:40]!r} is no cost.", hint="Say it in US dollars: --max-cost 0.50.")
    return found


def _count(asked: _Asked) -> Exit:
    """Say what would be asked; nothing is kept."""
    functions.check(asked.wanted.scorers, opening.load().scorers_dir)
    with opening.store() as store, store.db.write() as session:
        owner = owning.project(session, asked.project)
        prepared = preparing.prepare(
            session, asked.wanted, project_id=owner.id, dataset=asked.dataset, by=CLI, at=store.at, ids=Ids(0)
        )
        snapshot = catalog.snapshot(session, store.vault)
        said = foreseeing.estimate(session, snapshot, asked.wanted, prepared, project_id=owner.id, at=store.at)
        session.rollback()
    cells = prepared.cells(asked.wanted.repeats)
    click.echo(_counted(asked.wanted, prepared.items, len(prepared.arms), cells))
    for arm in prepared.arms:
        click.echo(plain(f"{arm.letter}  {arm.label}"))
    money = "an unknown cost" if said.cost_usd is None else f"about ${said.cost_usd:f}"
    minutes = "" if said.minutes is None else f", about {math.ceil(said.minutes)} min"
    click.echo(f"{said.calls:,} calls, about {said.tokens_in + said.tokens_out:,} tokens, {money}{minutes}.")
    for note in said.notes:
        click.echo(plain(note), err=True)
    return Exit.PASSED


def _counted(wanted: Wanted, items: int, arms: int, cells: int) -> str:
    often = f" × {wanted.repeats} times" if wanted.repeats > 1 else ""
    scorers = f"{len(wanted.scorers)} scorer{'s' * (len(wanted.scorers) != 1)}"
    return f"{items:,} examples × {arms} variants{often} = {cells:,} cells, {scorers}."


# The run


async def _evaluate(asked: _Asked) -> Exit:
    chosen = opening.load()
    functions.check(asked.wanted.scorers, chosen.scorers_dir)
    runtime = await to_thread.run_sync(lambda: Runtime(chosen, kind="eval"))
    await runtime.start(takes_runs=False)
    main, loop = asyncio.current_task(), asyncio.get_running_loop()
    if main is not None:
        with suppress(NotImplementedError, RuntimeError, ValueError):  # Windows, or not the main thread
            loop.add_signal_handler(signal.SIGTERM, main.cancel)
    try:
        run = await _begun(runtime, asked)
        url = f"{chosen.public_url.rstrip('/') or CONSOLE}/experiments?experiment={ids.shown('exp', run.id)}"
        click.echo(
            f"{ids.shown('exp', run.id)}: {_counted(asked.wanted, run.items, len(run.arms), run.cells)}", err=True
        )
        if run.state is State.RUNNING:
            await _work(runtime, run.id)
        found = await to_thread.run_sync(_report, runtime, asked, run.id)
        _show(found, url)
        await to_thread.run_sync(_write, runtime, asked, found, url)
    finally:
        await runtime.stop()
    return found.code


async def _begun(runtime: Runtime, asked: _Asked) -> RunView:
    """The run, under way; one that is interrupted while it begins is stopped, or another process would take it up."""
    task = asyncio.get_running_loop().create_task(to_thread.run_sync(_begin, runtime, asked))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await to_thread.run_sync(_stop, runtime, (await task).id)
        raise


def _begin(runtime: Runtime, asked: _Asked) -> RunView:
    """The run, claimed by this process."""
    at, owner = clock.now(), runtime.runner.owner
    with runtime.db.write() as session:
        project = owning.project(session, asked.project)
        earlier = None
        if asked.resume is not None:
            earlier = queries.run(session, asked.resume, project_ids=[project.id])
        prepared = preparing.prepare(
            session, asked.wanted, project_id=project.id, dataset=asked.dataset, by=CLI, at=at, ids=runtime.ids
        )
        if earlier is not None:
            run = preparing.go_on(
                session, asked.wanted, prepared, earlier, cap_usd=asked.cap_usd, owner=owner, by=CLI, at=at
            )
        else:
            cap = asked.cap_usd or asked.wanted.cap_usd
            run = preparing.begin(
                session, asked.wanted, prepared, project_id=project.id, cap_usd=cap, owner=owner, by=CLI, at=at,
                ids=runtime.ids,
            )  # fmt: skip
        preparing.baseline(session, asked.wanted, run)  # a mistake is told before anything is paid for
    return run


async def _work(runtime: Runtime, run_id: int) -> None:
    """Work on the run and say how far it has come; interrupted, it is stopped where it is and can go on."""
    task = asyncio.get_running_loop().create_task(runtime.runner.work(run_id))
    line = _Line()
    try:
        while not task.done():
            await asyncio.wait({task}, timeout=LOOK_S)
            line.say(await to_thread.run_sync(_seen, runtime, run_id))
        line.say(await to_thread.run_sync(_seen, runtime, run_id))  # it may have ended while it was looked at
    except asyncio.CancelledError:
        await to_thread.run_sync(_stop, runtime, run_id)
        task.cancel()
        await asyncio.wait({task})
        line.end()
        shown = ids.shown("exp", run_id)
        click.echo(f"Stopped. What was answered is kept: go on with --resume {shown}.", err=True)
        raise
    line.end()
    task.result()


def _seen(runtime: Runtime, run_id: int) -> RunView:
    with runtime.db.read() as session:
        return queries.any_run(session, run_id)


def _stop(runtime: Runtime, run_id: int) -> None:
    with runtime.db.write() as session:
        actions.stop(session, run_id=run_id, by=CLI, at=clock.now())


class _Line:
    """Progress on standard error: one line that is written over in a terminal; elsewhere a line per tenth."""

    def __init__(self) -> None:
        self._is_terminal = sys.stderr.isatty()
        self._said, self._tenth = "", -1

    def say(self, run: RunView) -> None:
        come = run.done + run.failed
        failed = f", {run.failed:,} failed" if run.failed else ""
        said = f"{come:,} of {run.cells:,} cells{failed}, ${run.spent_usd:f}"
        tenth = 10 * come // max(run.cells, 1)
        if self._is_terminal:
            if said != self._said:
                click.echo(f"\r{said.ljust(len(self._said))}", err=True, nl=False)
        elif tenth > self._tenth and come:
            click.echo(said, err=True)
        self._said, self._tenth = said, max(tenth, self._tenth) if come else self._tenth

    def end(self) -> None:
        if self._is_terminal and self._said:
            click.echo("", err=True)


# What is told


def _report(runtime: Runtime, asked: _Asked, run_id: int) -> Report:
    with runtime.db.write() as session:
        run = queries.any_run(session, run_id)
        found = reporting.report(session, asked.wanted, run, preparing.baseline(session, asked.wanted, run))
        if asked.wanted.limits and found.code in (Exit.PASSED, Exit.BROKEN):
            actions.judge(session, run_id=run_id, passed=found.code is Exit.PASSED, by=CLI, at=clock.now())
    return found


def _show(found: Report, url: str) -> None:
    run = found.run
    for arm in run.arms:
        click.echo(plain(f"{arm.letter}  {arm.label}"))
    click.echo("")
    table(reporting.TITLES, reporting.rows(found), empty="No cell has a score.")
    unpriced = f" and {run.unpriced:,} calls whose price nobody knows" if run.unpriced else ""
    click.echo(f"\nCost: ${run.spent_usd:f}{unpriced}.")
    if run.unpriced and run.cap_usd is not None:
        click.echo(f"The cap of ${run.cap_usd:f} knows nothing of them: name their price under Backends.", err=True)
    for one in found.judged:
        mark = "ok  " if one.outcome.met else "FAIL" if one.outcome.is_judged else "?   "
        click.echo(plain(f"{mark}  {one.variant}  {one.outcome.reason}"))
    for note in found.notes:
        click.echo(plain(note), err=True)
    if found.code is Exit.UNKNOWN:
        click.echo(f"Go on with --resume {ids.shown('exp', run.id)}.", err=True)
    click.echo(url)


def _write(runtime: Runtime, asked: _Asked, found: Report, url: str) -> None:
    """The reports that were asked for. Raises: Invalid when one cannot be written."""
    made: list[tuple[Path, bytes]] = []
    if asked.junit is not None:
        with runtime.db.read() as session:
            made.append((asked.junit, reporting.as_junit(session, found, asked.wanted.titles)))
    if asked.json is not None:
        made.append((asked.json, orjson.dumps(reporting.as_json(found, url=url), option=orjson.OPT_INDENT_2) + b"\n"))
    for path, data in made:
        writing.write(path, data)

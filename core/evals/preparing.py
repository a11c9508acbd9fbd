"""From an eval file to a run in the store: its examples, its variants, what it is compared with.

Examples that stand in the file become a dataset named after the file, of which a version is kept only when something
is different from the last time. The caller owns the transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from sqlmodel import Session

from core.datasets import actions as datasets
from core.datasets import queries as dataset_queries
from core.errors import Conflict, Invalid, NotFound
from core.evals.files import ORIGIN, Variant, Wanted
from core.experiments import actions, queries, rules
from core.experiments.queries import RunView
from core.experiments.rules import Arm, State
from core.ids import Ids, shown
from core.people.rules import Principal
from core.prompts import queries as prompts
from core.prompts.includes import reference


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a run is made of."""

    dataset_id: int
    dataset: str
    version: int
    items: int
    arms: tuple[Arm, ...]

    def cells(self, repeats: int) -> int:
        return self.items * len(self.arms) * repeats


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a run is compared with: an earlier run, or a variant of its own (then `run` is None)."""

    run: RunView | None
    letter: str = ""

    def of(self, letter: str) -> str:
        """The variant to compare this one with: the one that is named, the only one, or the one of the same letter."""
        if self.letter or self.run is None:
            return self.letter
        letters = [arm.letter for arm in self.run.arms]
        return letters[0] if len(letters) == 1 else letter


def prepare(
    session: Session, wanted: Wanted, *, project_id: int, dataset: str, by: Principal, at: datetime, ids: Ids
) -> Prepared:
    """The examples and variants of a file; `dataset` is what the dataset of its own examples is called.

    Raises: NotFound, Invalid, Conflict when that dataset has other examples, NotAllowed.
    """
    arms = rules.lettered([_arm(session, one, project_id) for one in wanted.variants])
    if wanted.entries:
        name = dataset
        found = dataset_queries.by_name(session, name, project_id=project_id)
        made = found.id if found else datasets.create(session, project_id=project_id, name=name, by=by, at=at).id or 0
        version = datasets.match(session, dataset_id=made, entries=wanted.entries, origin=ORIGIN, by=by, at=at, ids=ids)
    else:
        view = dataset_queries.by_name(session, wanted.dataset, project_id=project_id)
        if view is None:
            raise NotFound(f"There is no dataset named {wanted.dataset!r}.", hint="Datasets in the console lists them.")
        name, made, version = view.name, view.id, wanted.version or view.version
        if not version or version > view.version:
            raise NotFound(
                f"{name!r} has no version {version or 'that was kept'}.",
                hint=f"Its newest is {view.version}." if view.version else "Keep one under Datasets.",
            )
    items = dataset_queries.size(session, dataset_id=made, version=version, split=wanted.split)
    rules.check(name=wanted.name, repeats=wanted.repeats, at_once=wanted.at_once, items=items, arms=len(arms))
    return Prepared(made, name, version, items, arms)


def begin(
    session: Session,
    wanted: Wanted,
    prepared: Prepared,
    *,
    project_id: int,
    cap_usd: Decimal | None,
    owner: str,
    by: Principal,
    at: datetime,
    ids: Ids,
) -> RunView:
    """The run, started and claimed by its owner in one step: no other worker can take it.

    Raises: as `actions.create`.
    """
    run_id = actions.create(
        session,
        project_id=project_id,
        name=wanted.name,
        dataset_id=prepared.dataset_id,
        dataset_version=prepared.version,
        split=wanted.split,
        items=prepared.items,
        arms=prepared.arms,
        scorers=settings(wanted),
        repeats=wanted.repeats,
        at_once=wanted.at_once,
        cap_usd=cap_usd,
        by=by,
        at=at,
        ids=ids,
    )
    actions.start(session, run_id=run_id, by=by, at=at)
    return _claimed(session, run_id, owner, at)


def go_on(
    session: Session,
    wanted: Wanted,
    prepared: Prepared,
    run: RunView,
    *,
    cap_usd: Decimal | None,
    owner: str,
    by: Principal,
    at: datetime,
) -> RunView:
    """Take an earlier run of this file up again: what has no answer yet, and what failed. One with neither stays as it
    is. Raises: Invalid when the file means something else by now, Conflict when somebody works on it."""
    if what := _differs(wanted, prepared, run):
        raise Invalid(
            f"The file has changed since {shown('exp', run.id)} was started: {what}.",
            code="eval_file",
            hint="Start a new run, without --resume.",
        )
    if run.state is State.DONE and not run.failed:
        return run
    if run.failed and run.state is not State.RUNNING:
        actions.retry(session, run_id=run.id, by=by, at=at)
    actions.start(session, run_id=run.id, by=by, at=at, cap_usd=cap_usd)
    return _claimed(session, run.id, owner, at)


def baseline(session: Session, wanted: Wanted, run: RunView) -> Baseline | None:
    """What the run is compared with; None when the file names nothing, or no run has passed yet.

    Raises: NotFound, Invalid when the run that is named was over other examples, or is not over.
    """
    if wanted.takes_last_passing:
        found = queries.last_passing(
            session, project_id=run.project_id, name=run.name, dataset_id=run.dataset_id, before=run.id
        )
        return None if found is None else Baseline(found)
    if wanted.baseline_run is None:
        return Baseline(None, wanted.baseline_letter) if wanted.baseline_letter else None
    named = shown("exp", wanted.baseline_run)
    earlier = queries.run(session, wanted.baseline_run, project_ids=[run.project_id])
    if earlier.dataset_id != run.dataset_id:
        raise Invalid(f"The baseline {named} is over another dataset.", code="eval_file", hint="Name another run.")
    if wanted.baseline_letter and wanted.baseline_letter not in {arm.letter for arm in earlier.arms}:
        raise Invalid(f"The baseline {named} has no variant {wanted.baseline_letter}.", code="eval_file")
    return Baseline(earlier, wanted.baseline_letter)


def settings(wanted: Wanted) -> list[dict[str, object]]:
    """The scorers as a run keeps them."""
    return [one.model_dump(mode="json", exclude_defaults=True) for one in wanted.scorers]


def _arm(session: Session, variant: Variant, project_id: int) -> Arm:
    if variant.messages or not variant.prompt:
        return Arm(
            "A",
            prompt=variant.prompt,
            model=variant.model,
            parameters=variant.parameters,
            messages=variant.messages,
        )
    asked = reference(variant.prompt)
    row = prompts.named(session, asked.name, project_id=project_id)
    return Arm("A", row.id, row.name, row.entry.number(asked), variant.model, variant.parameters)


def _claimed(session: Session, run_id: int, owner: str, at: datetime) -> RunView:
    if not actions.claim(session, run_id=run_id, owner=owner, at=at):
        raise Conflict(
            "Another process works on this run.",
            hint="Wait for it, or stop it under Experiments. One that was killed lets go of it within half a minute.",
        )
    session.flush()
    session.expire_all()
    return queries.any_run(session, run_id)


def _differs(wanted: Wanted, prepared: Prepared, run: RunView) -> str:
    """What of a file is not what the run was started with; "" when nothing is."""
    if (run.dataset_id, run.dataset_version, run.split) != (prepared.dataset_id, prepared.version, wanted.split):
        return "its examples"
    if _out(prepared.arms) != _out(run.arms):
        return "its variants, or what a label means"
    if list(run.scorers) != settings(wanted):
        return "its scorers"
    return "" if run.repeats == wanted.repeats else "how often it repeats"


def _out(arms: Sequence[Arm]) -> list[dict[str, object]]:
    return [rules.arm_out(arm) for arm in arms]

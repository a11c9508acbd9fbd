"""A new run in words: which examples, which variants, what makes an answer good; what it will take; then start."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from typing import Any

import streamlit as st

from core import clock, ids, runtime
from core.calls import usage_queries
from core.catalog.rules import Snapshot, resolve
from core.datasets import actions as dataset_actions
from core.datasets import queries as datasets
from core.datasets.queries import DatasetView
from core.datasets.rules import Kind
from core.errors import GreenroomError
from core.evals import estimating, judging
from core.evals import scorers as evals
from core.evals.asking import Example, Ready, expected_of
from core.evals.cases import Case
from core.evals.estimating import Asked
from core.evals.scorers import Judge, PairwiseJudge
from core.experiments import actions
from core.experiments.rules import MOST_REPEATS, Arm, lettered
from core.people.queries import ProjectView
from core.people.rules import Permission, Principal
from core.prompts import included
from pages.parts import (
    acting,
    amounts,
    experiment_list,
    experiment_scorers,
    experiment_variants,
    hostile,
    reads,
    states,
)

SAMPLE = 10
_DAYS = 30


def draw(by: Principal, project: ProjectView) -> None:
    """The form."""
    st.button(
        "All experiments", key="experiment_back", icon=":material/arrow_back:", type="tertiary",
        on_click=experiment_list.closed,
    )  # fmt: skip
    st.title("New experiment", anchor=False)
    if not by.may(Permission.EXPERIMENT_RUN, project.id):
        st.info("Your role may look at experiments, not run them.", icon=":material/lock:")
        return
    known = [row for row in reads.fresh(datasets.datasets, project_ids=(project.id,)) if row.items]
    if not known:
        states.empty(
            "There is no dataset to test with.",
            "An experiment asks every example of a dataset. Bring a file, sample calls, or keep reviewed answers.",
            button="Open Datasets", page="review_datasets.py", icon=":material/dataset:",
        )  # fmt: skip
        return
    snapshot = runtime.current().catalog
    name = st.text_input("Name", key="experiment_name", max_chars=120, placeholder="Kinder refunds, version 3?")
    dataset, version, split, items = _examples(known)
    arms = experiment_variants.draw(project, snapshot)
    with st.container(border=True):
        settings, is_told = experiment_scorers.draw(project, snapshot)
    repeats, at_once, cap = _how()
    if dataset is None or not arms:
        return
    try:
        made = lettered(arms)
        scorers = evals.parse(settings)
    except GreenroomError as error:
        acting.show(error)
        return
    can_start = _estimate(
        project, snapshot, dataset, split, items, made, scorers, repeats=repeats, at_once=at_once, cap=cap
    )
    if st.button(
        "Start", key="experiment_start", type="primary", icon=":material/play_arrow:",
        disabled=not (settings and is_told and can_start),
        help=None if settings else "Choose what makes an answer good.",
    ):  # fmt: skip
        _start(
            by, project, name=name, dataset=dataset, version=version, split=split, items=items, arms=made,
            settings=settings, repeats=repeats, at_once=at_once, cap=cap,
        )  # fmt: skip


def _examples(known: Sequence[DatasetView]) -> tuple[DatasetView | None, int, str | None, int]:
    by_id = {row.id: row for row in known}
    with st.container(border=True, horizontal=True, vertical_alignment="bottom", gap="small"):
        asked = st.query_params.get("dataset", "")
        first = int(asked) if asked.isdecimal() and int(asked) in by_id else known[0].id
        chosen = st.selectbox(
            "Examples", list(by_id), index=list(by_id).index(first), key="experiment_dataset",
            format_func=lambda one: f"{hostile.line(by_id[one].name)}, {amounts.count(by_id[one].items, 'example')}",
            width="stretch",
        )  # fmt: skip
        dataset = by_id[chosen]
        splits = reads.fresh(datasets.by_split, dataset.id, project_ids=(dataset.project_id,))
        split = None
        if len(splits) > 1 or (splits and "" not in splits):
            options = [None, *sorted(splits)]
            split = st.selectbox(
                "Split", options, key=f"experiment_split_{chosen}", width=220,
                format_func=lambda one: "All" if one is None else f"{one or 'none'}, {splits[one]}",
            )  # fmt: skip
    count = _count(dataset, split)
    return dataset, dataset.version, split, count


def _count(dataset: DatasetView, split: str | None) -> int:
    return reads.fresh(datasets.count, dataset_id=dataset.id, kind=Kind.ITEM, version=None, split=split)


def _how() -> tuple[int, int, Decimal | None]:
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        repeats = st.number_input(
            "Times each", 1, MOST_REPEATS, 1, key="experiment_repeats", width=140,
            help="Ask the same several times where answers vary: the spread is part of how sure one can be.",
        )  # fmt: skip
        at_once = st.number_input("At once", 1, 64, 8, key="experiment_at_once", width=140)
        cap = st.number_input(
            "Stop at (dollars)", 0.01, 100_000.0, None, key="experiment_cap", placeholder="no limit", width=180,
            help="The run stops about there, once what is under way has ended; it can go on later.",
        )  # fmt: skip
    return int(repeats), int(at_once), None if cap is None else Decimal(f"{cap:.4f}")


def _estimate(
    project: ProjectView,
    snapshot: Snapshot,
    dataset: DatasetView,
    split: str | None,
    items: int,
    arms: Sequence[Arm],
    scorers: Sequence[Any],
    *,
    repeats: int,
    at_once: int,
    cap: Decimal | None,
) -> bool:
    """What it will take; whether every variant can be asked anything at all."""
    page = reads.fresh(
        datasets.in_order, dataset_id=dataset.id, kind=Kind.ITEM, after=0, limit=SAMPLE, version=None, split=split
    )
    examples = [Example(row.key, row.input, row.expected, row.notes) for row in page.rows]
    asked: list[Asked] = []
    for arm in arms:
        bodies, trouble = _bodies(arm, examples)
        if trouble is not None:
            lacks_value = arm.prompt_id is not None
            helps = "Give it in the examples, or let the prompt do without it." if lacks_value else trouble.hint
            st.warning(
                f"{hostile.sentence(trouble.message)} {helps}",
                icon=":material/warning:",
                title=f"Variant {arm.letter} cannot be asked some of these examples: they would fail.",
            )
        asked.append(Asked(bodies, items * repeats))
    is_known = _models_are_known(snapshot, arms, asked)
    for scorer in scorers:
        if isinstance(scorer, Judge | PairwiseJudge) and examples:
            times = scorer.repeats * (2 * (len(arms) - 1) if isinstance(scorer, PairwiseJudge) else len(arms))
            asked.append(Asked(_judged(scorer, examples[0]), items * repeats * times, estimating.JUDGED_TOKENS))
    now = clock.now()
    shares = reads.fresh(
        usage_queries.breakdown, project_ids=(project.id,), start=now - timedelta(days=_DAYS),
        end=now + timedelta(hours=1), dimension="model", limit=200,
    )  # fmt: skip
    found = estimating.estimate(
        snapshot, asked, cells=items * len(arms) * repeats, at_once=at_once, used={one.value: one for one in shares},
        at=now,
    )  # fmt: skip
    with st.container(border=True, key="experiment_estimate", gap="small"):
        with st.container(horizontal=True, gap="large"):
            st.metric("Answers", amounts.count(found.cells), width="content")
            st.metric("Calls", amounts.count(found.calls), width="content")
            st.metric("Tokens, about", amounts.count(found.tokens_in + found.tokens_out), width="content")
            money = "unknown" if found.cost_usd is None else amounts.money(found.cost_usd)
            st.metric("Cost, about", money, width="content")
            time = "unknown" if found.minutes is None else amounts.duration(found.minutes * 60_000)
            st.metric("Time, about", time, width="content")
        for note in found.notes:
            st.caption(hostile.sentence(note))
        if found.cost_usd is None and cap is not None:
            st.warning(
                "A price is not known here, and what it costs does not count towards the limit.",
                title="The limit in dollars may not hold.", icon=":material/warning:",
            )  # fmt: skip
    return is_known and all(one.bodies for one in asked)


def _models_are_known(snapshot: Snapshot, arms: Sequence[Arm], asked: Sequence[Asked]) -> bool:
    """Whether something answers to every variant's model; a warning for each where nothing does."""
    is_known = True
    for arm, one in zip(arms, asked, strict=True):
        if not one.bodies:
            continue
        try:
            resolve(snapshot, str(one.bodies[0].get("model") or ""))
        except GreenroomError as error:
            is_known = False
            st.warning(
                f"{hostile.sentence(error.message)} Choose one of the list.",
                icon=":material/warning:",
                title=f"Variant {arm.letter} cannot be asked: every answer would fail.",
            )
    return is_known


def _bodies(arm: Arm, examples: Sequence[Example]) -> tuple[list[dict[str, Any]], GreenroomError | None]:
    ready = Ready(arm)
    trouble: GreenroomError | None = None
    if arm.prompt_id is not None and arm.number is not None:
        content, fragments = reads.fresh(included.ready, arm.prompt_id, arm.number)
        ready = Ready(arm, content, fragments)
    bodies = []
    for example in examples:
        try:
            bodies.append(ready.body(example))
        except GreenroomError as error:
            trouble = trouble or error
    return bodies, trouble


def _judged(scorer: Judge | PairwiseJudge, example: Example) -> list[dict[str, Any]]:
    """A body like those a judge will get."""
    messages = tuple(example.input.get("messages") or ())
    case = Case(messages=messages, text="x" * 800, expected=expected_of(example.expected))
    if isinstance(scorer, Judge):
        return judging.requests_of(scorer, case, _nonces(scorer.repeats))[:1]
    return judging.pair_requests_of(scorer, case, case, _nonces(2 * scorer.repeats))[:1]


def _nonces(count: int) -> list[str]:
    """As long as real ones; nobody answers to these."""
    return [f"{number:016}" for number in range(count)]


def _start(
    by: Principal,
    project: ProjectView,
    *,
    name: str,
    dataset: DatasetView,
    version: int,
    split: str | None,
    items: int,
    arms: Sequence[Arm],
    settings: Sequence[dict[str, Any]],
    repeats: int,
    at_once: int,
    cap: Decimal | None,
) -> None:
    here = runtime.current()
    number = acting.do(dataset_actions.current, dataset_id=dataset.id, by=by, at=clock.now())
    if number is None:
        return
    run_id = acting.do(
        actions.create, project_id=project.id, name=name, dataset_id=dataset.id, dataset_version=number, items=items,
        arms=arms, scorers=settings, repeats=repeats, at_once=at_once, cap_usd=cap, split=split, by=by,
        at=clock.now(), ids=here.ids,
    )  # fmt: skip
    if run_id is None:
        return
    if acting.done(actions.start, run_id=run_id, by=by, at=clock.now()):
        here.runner.wake()
        experiment_list.opened(ids.shown("exp", run_id))
        acting.tell("Started.", icon=":material/play_arrow:")

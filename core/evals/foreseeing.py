"""What a run of an eval file will take, by its first examples and what the models cost and took lately."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from core.calls import usage_queries
from core.catalog.rules import Snapshot
from core.datasets import queries as datasets
from core.datasets.rules import Kind
from core.errors import GreenroomError
from core.evals import estimating, judging
from core.evals.asking import Example, Ready, content_of, expected_of
from core.evals.cases import Case
from core.evals.estimating import Asked, Estimate
from core.evals.files import Wanted
from core.evals.preparing import Prepared
from core.evals.scorers import Judge
from core.experiments.rules import Arm
from core.prompts import included

SAMPLE, DAYS = 20, 28
ANSWER = "x" * 800
"""What stands for an answer that a judge will read."""


def estimate(
    session: Session, snapshot: Snapshot, wanted: Wanted, prepared: Prepared, *, project_id: int, at: datetime
) -> Estimate:
    """Tokens, money and minutes of the whole run; what cannot be known, and examples a variant cannot be asked, are
    notes."""
    page = datasets.in_order(
        session, dataset_id=prepared.dataset_id, kind=Kind.ITEM, after=0, limit=SAMPLE, version=prepared.version,
        split=wanted.split,
    )  # fmt: skip
    examples = [Example(row.key, row.input, row.expected, row.notes) for row in page.rows]
    often = prepared.items * wanted.repeats
    asked, notes = [], []
    for arm in prepared.arms:
        bodies, trouble = _bodies(session, arm, examples)
        asked.append(Asked(bodies, often))
        notes += [f"Variant {arm.letter}: {trouble}"] if trouble else []
    for scorer in wanted.scorers:
        if isinstance(scorer, Judge) and examples:
            case = Case(
                messages=tuple(examples[0].input.get("messages") or ()), text=ANSWER,
                expected=expected_of(examples[0].expected),
            )  # fmt: skip
            body = judging.requests_of(scorer, case, ["0" * 16] * scorer.repeats)[0]
            asked.append(Asked([body], often * scorer.repeats * len(prepared.arms), estimating.JUDGED_TOKENS))
    used = usage_queries.breakdown(
        session, project_ids=[project_id], start=at - timedelta(days=DAYS), end=at + timedelta(hours=1),
        dimension="model", limit=200,
    )  # fmt: skip
    found = estimating.estimate(
        snapshot, asked, cells=prepared.cells(wanted.repeats), at_once=wanted.at_once,
        used={one.value: one for one in used}, at=at,
    )  # fmt: skip
    return Estimate(
        found.cells, found.calls, found.tokens_in, found.tokens_out, found.cost_usd, found.minutes,
        (*notes, *found.notes),
    )  # fmt: skip


def _bodies(session: Session, arm: Arm, examples: Sequence[Example]) -> tuple[list[Mapping[str, Any]], str]:
    ready = Ready(arm, content_of(arm.messages, arm.model) if arm.messages else None)
    if arm.prompt_id is not None and arm.number is not None:
        ready = Ready(arm, *included.ready(session, arm.prompt_id, arm.number))
    bodies: list[Mapping[str, Any]] = []
    trouble = ""
    for example in examples:
        try:
            bodies.append(ready.body(example))
        except GreenroomError as error:
            trouble = trouble or error.message
    return bodies, trouble

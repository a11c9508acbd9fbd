"""What is decided before a test: what it asks and is decided by, how many units it takes, how it is widened. Pure."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from core.calls import rows
from core.errors import Invalid
from core.trials import metrics, rules
from core.trials.metrics import Measures
from core.trials.rules import BUCKETS, Design

LONGEST_NAME, LONGEST_TEXT = 128, 2_000
LEAST_PLANNED, MOST_PLANNED = 100, 100_000_000


@dataclass(frozen=True, slots=True)
class Plan:
    """All of a test but who gets which arm: what it asks, what decides it, how many units, how it is widened.

    `coverage` in ten-thousandths is what it starts with; `ramp_hours` 0 leaves raising it to people.
    """

    name: str
    measures: Measures
    planned: int
    question: str = ""
    coverage: int = 100
    ramp_hours: int = 0
    slice_tag: str = ""


def columns(design: Design, plan: Plan) -> dict[str, Any]:
    """A row's settings. Raises: Invalid."""
    design = dataclasses.replace(
        design,
        target=rows.text(design.target),
        layer=rows.text(design.layer),
        arms=rules.arms_in(rows.plain(rules.arms_out(design.arms))),
        conditions=rules.conditions_in(rows.plain(rules.conditions_out(design.conditions))),
    )
    design, measures = rules.check(design), metrics.check(plan.measures)
    name, question, tag = (rows.text(one).strip() for one in (plan.name, plan.question, plan.slice_tag))
    if not name or len(name) > LONGEST_NAME:
        raise Invalid(f"A live test needs a name of at most {LONGEST_NAME} characters.", param="name")
    if len(question) > LONGEST_TEXT or len(tag) > 64:
        raise Invalid(f"The question has at most {LONGEST_TEXT:,} characters, a tag 64.", param="question")
    if not LEAST_PLANNED <= plan.planned <= MOST_PLANNED:
        raise Invalid(
            f"Plan between {LEAST_PLANNED:,} and {MOST_PLANNED:,} units.", param="planned",
            hint="The planning box says how many a difference needs.",
        )  # fmt: skip
    if not 1 <= plan.coverage <= BUCKETS or not 0 <= plan.ramp_hours <= 24 * 30:
        raise Invalid("A test covers up to 100 % of units, and a step takes at most 30 days.", param="coverage")
    if min(arm.weight for arm in design.arms) == 0:
        raise Invalid("Each arm needs a weight above 0.", param="arms", hint="Or pause the test.")
    return {
        "name": name, "question": question, "target": design.target, "arms": rules.arms_out(design.arms),
        "salt": design.salt, "unit": design.unit.value, "conditions": rules.conditions_out(design.conditions),
        "layer": design.layer, "first": design.first, "until": design.until, "slice_tag": tag,
        "measures": metrics.measures_out(measures), "planned": plan.planned, "coverage": plan.coverage,
        "ramp_hours": plan.ramp_hours,
    }  # fmt: skip

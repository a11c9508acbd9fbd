"""What a run will take, before it is started: tokens, money, minutes; and what of that is only assumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from core.calls import tokens
from core.calls.views import Totals
from core.catalog import prices
from core.catalog.rules import Snapshot, resolve
from core.errors import GreenroomError

ASSUMED_TOKENS = 250
"""Tokens of an answer, where nobody has asked the model before."""
JUDGED_TOKENS = 150
"""Tokens of a judge's verdict."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """`cost_usd` None: a price is not known. `minutes` None: nobody has asked these models lately. `notes` say what is
    assumed, as sentences."""

    cells: int
    calls: int
    tokens_in: int
    tokens_out: int
    cost_usd: Decimal | None
    minutes: float | None
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Asked:
    """One sort of call a run makes: bodies of a few examples, and how many there will be."""

    bodies: Sequence[Mapping[str, Any]]
    calls: int
    tokens_out: int | None = None


def estimate(
    snapshot: Snapshot, asked: Sequence[Asked], *, cells: int, at_once: int, used: Mapping[str, Totals], at: datetime
) -> Estimate:
    """The estimate for these calls; `used` are the sums of the last weeks by model as served."""
    calls = tokens_in = tokens_out = 0
    cost: Decimal | None = Decimal(0)
    seconds: float | None = 0.0
    notes: dict[str, None] = {}
    for one in asked:
        if not one.bodies or not one.calls:
            continue
        name = str(one.bodies[0].get("model") or "")
        try:
            step = next(iter(resolve(snapshot, name).steps), None)
        except GreenroomError as error:
            notes.setdefault(error.message)
            cost = seconds = None
            continue
        model = step.model if step is not None else name
        each_in = sum(tokens.count_messages(model, list(body["messages"]))[0] for body in one.bodies) / len(one.bodies)
        before = used.get(model)
        each_out = _answer_tokens(one, before, model, notes)
        calls, tokens_in, tokens_out = (
            calls + one.calls,
            tokens_in + round(each_in * one.calls),
            tokens_out + round(each_out * one.calls),
        )
        if step is not None and cost is not None:
            priced = prices.price(
                snapshot, backend=step.backend, model=model, tokens_in=round(each_in), tokens_out=round(each_out), at=at
            )
            if priced.cost_usd is None:
                notes.setdefault(f"The price of {name} is not known.")
                cost = None
            else:
                cost += priced.cost_usd * one.calls
        if before is None or before.p50_ms is None:
            notes.setdefault(f"How long {name} takes is not known yet.")
            seconds = None
        elif seconds is not None:
            seconds += before.p50_ms / 1000 * one.calls / at_once
    return Estimate(cells, calls, tokens_in, tokens_out, cost, None if seconds is None else seconds / 60, tuple(notes))


def _answer_tokens(one: Asked, before: Totals | None, model: str, notes: dict[str, None]) -> float:
    most = one.bodies[0].get("max_tokens")
    if one.tokens_out is not None:
        found: float = one.tokens_out
    elif before is not None and before.calls > before.errors:
        found = before.tokens_out / (before.calls - before.errors)
    else:
        found = ASSUMED_TOKENS
        notes.setdefault(f"Answers of {model} are assumed to have {ASSUMED_TOKENS} tokens: nobody has asked it lately.")
    return min(found, float(most)) if isinstance(most, int) else found

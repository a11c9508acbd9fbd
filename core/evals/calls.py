"""Whether a model called the tools it should have, with the arguments it should have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from core.evals import documents
from core.evals.cases import Score, failed, scored
from core.evals.differences import Compared, compare
from core.evals.scorers import ToolCalls, WantedCall
from core.prompts.rules import ToolCall

MOST_CALLS = 200


def of_example(expected: Any) -> tuple[WantedCall, ...] | None:
    """The calls an example expects: `{"name", "arguments"}`, a list of these, or the protocol's own; None when it
    expects something else."""
    listed = expected if isinstance(expected, list) else [expected]
    made = []
    for one in listed:
        inner = one.get("function", one) if isinstance(one, Mapping) else None
        if not isinstance(inner, Mapping):
            return None
        arguments = inner.get("arguments")
        try:
            if isinstance(arguments, str):
                arguments = documents.loads(arguments, "It")
            made.append(WantedCall(name=inner.get("name", ""), arguments=arguments))
        except (ValidationError, documents.Unreadable):
            return None
    return tuple(made)


def judged(scorer: ToolCalls, made: Sequence[ToolCall], wanted: Sequence[WantedCall]) -> Score:
    """The share of wanted calls that were made; passed when all were, and no others besides."""
    if len(made) > MOST_CALLS:
        return failed(f"The answer calls {len(made)} tools: more than {MOST_CALLS} are not compared.")
    left = list(made)
    missed: list[str] = []
    for one in wanted:
        place, why = _place(scorer, one, left)
        if place is None:
            missed.append(why)
        else:
            # in order, what was passed over cannot be called on any more
            del left[0 if scorer.order_matters else place : place + 1]
    extra = [] if scorer.more_is_fine else [f"{call.name} was called besides" for call in left]
    share = (len(wanted) - len(missed)) / (len(wanted) or 1) if wanted else float(not extra)
    reason = "; ".join([*missed, *extra][:3]) or ("The expected tools were called" if wanted else "No tool was called")
    return scored(share, not missed and not extra, f"{reason}.", details={"missed": len(missed), "besides": len(extra)})


def _place(scorer: ToolCalls, wanted: WantedCall, left: Sequence[ToolCall]) -> tuple[int | None, str]:
    """Where the wanted call is among those left, and why not when it is nowhere."""
    why = f"{wanted.name} was not called"
    places = range(min(1, len(left))) if scorer.order_matters and not scorer.more_is_fine else range(len(left))
    for place in places:
        if left[place].name != wanted.name:
            continue
        if wanted.arguments is None:
            return place, ""
        try:
            given = documents.loads(left[place].arguments or "{}", f"What {wanted.name} was given")
        except documents.Unreadable as error:
            why = str(error).rstrip(".")
            continue
        found = compare(given, wanted.arguments, ignored=scorer.ignored, tolerance=scorer.tolerance)
        if not found.differences:
            return place, ""
        why = _differs(wanted.name, found)
    return None, why


def _differs(name: str, found: Compared) -> str:
    return f"{name} was called otherwise: {found.differences[0]}"

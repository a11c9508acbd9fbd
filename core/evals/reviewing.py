"""People as a scorer: a verdict of a review queue, and the answers to its rubric, as a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from core.evals.cases import Score, failed, invalid, scored
from core.evals.scorers import Human
from core.evals.scoring import counted

Said = Literal["approve", "edit", "reject", "unreviewable", "escalate"]
_DONE = {"approve": "approved", "edit": "mended", "reject": "rejected"}


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to one question of the rubric: of a scale 1 to `steps`, or yes or no."""

    question: str
    answer: int | bool
    steps: int = 5


def reviewed(
    scorer: Human,
    verdict: Said,
    answers: Sequence[Answered] = (),
    *,
    note: str = "",
    by: Mapping[str, str] | None = None,
) -> Score:
    """What people decided. The value is the mean of the rubric's answers as shares ((answer − 1) / (steps − 1), yes 1,
    no 0), or without any what the verdict is worth: approved 1, mended `edited_counts`, rejected 0. Only what was
    approved as it was has passed; what could not be reviewed is invalid.

    `by` are details to keep, such as who decided. Raises: ValueError for an answer that is not on its scale.
    """
    if verdict not in _DONE:
        return invalid("People could not decide on it." if verdict == "unreviewable" else "It was passed on.")
    shares = [_share(one) for one in answers]
    worth = {"approve": 1.0, "edit": scorer.edited_counts, "reject": 0.0}[verdict]
    value = sum(shares) / len(shares) if shares else worth
    said = f"People {_DONE[verdict]} it{f': {note}' if note else ''}."
    details: dict[str, float | int | str] = {"verdict": verdict, **{one.question: one.answer for one in answers}}
    return counted(
        scorer, scored(value, verdict == "approve", said.replace("..", "."), details=details | dict(by or {}))
    )


def undecided(why: str) -> Score:
    """Nobody decided in time, or the queue is closed."""
    return failed(why)


def _share(one: Answered) -> float:
    if isinstance(one.answer, bool):
        return float(one.answer)
    if one.steps < 2 or not 1 <= one.answer <= one.steps:
        raise ValueError(f"{one.answer} is not on a scale from 1 to {one.steps}")
    return (one.answer - 1) / (one.steps - 1)

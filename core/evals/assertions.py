"""promptfoo's assertions as scorers here, each by the meaning promptfoo's documentation gives it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from core.errors import Invalid
from core.evals.cases import as_text
from core.evals.scorers import Scorer, one

_EDITS, _ROUGE, _SIMILAR = 5, 0.75, 0.75  # promptfoo's own, where an assertion has no threshold


class NotUnderstood(Exception):
    """Why an assertion has no counterpart here, as the end of a sentence."""


def scorer(
    kind: str,
    value: Any,
    *,
    threshold: float | None,
    weight: float | None,
    name: str,
    judge: str,
    embedder: str,
) -> Scorer:
    """The scorer an assertion means. Raises: NotUnderstood."""
    base = kind.removeprefix("not-")
    make = _MAKERS.get(base)
    if make is None:
        raise NotUnderstood(_REFUSED.get(base, f"there is no counterpart of “{kind[:60]}” here"))
    if base not in _WITH_THRESHOLD and threshold is not None:
        raise NotUnderstood(f"“{kind}” with a threshold has no counterpart here")
    told = make(value, threshold, judge if base == "llm-rubric" else embedder)
    told |= {"name": name[:80], "negated": kind.startswith("not-")}
    if weight is not None:
        told["weight"] = weight
    try:
        return one(told, "it")
    except Invalid as error:
        raise NotUnderstood(error.message) from None


Made = dict[str, Any]


def _equals(value: Any, _threshold: float | None, _model: str) -> Made:
    if isinstance(value, dict | list):
        return {"kind": "json diff", "expected": value}
    return {"kind": "exact", "expected": as_text(_needed(value)), "blanks": "as they are"}


def _contains(which: str, case_matters: bool) -> Callable[[Any, float | None, str], Made]:
    def make(value: Any, _threshold: float | None, _model: str) -> Made:
        listed = value if isinstance(value, list) else [value]
        if which != "one" and not isinstance(value, list):
            raise NotUnderstood("its value must be a list")
        if which == "one" and isinstance(value, list | dict):
            raise NotUnderstood("its value must be a text")
        texts = [as_text(_needed(text)) for text in listed]
        return {
            "kind": "contains",
            "texts": texts,
            "which": "any" if which == "any" else "all",
            "case_matters": case_matters,
        }

    return make


def _regex(value: Any, _threshold: float | None, _model: str) -> Made:
    return {"kind": "regex", "pattern": _text(value)}


def _is_json(value: Any, _threshold: float | None, _model: str) -> Made:
    if value is None:
        return {"kind": "json schema"}
    if not isinstance(value, dict):
        raise NotUnderstood("its schema must stand in the file itself")
    return {"kind": "json schema", "answer_schema": value}


def _python(value: Any, threshold: float | None, _model: str) -> Made:
    text = _text(value, files=True)
    if not text.startswith("file://"):
        raise NotUnderstood("Python within the file is not run: put it into a file of the scorers' directory")
    call = text.removeprefix("file://")
    call = call if ":" in call else f"{call}:get_assert"
    return {"kind": "function", "call": call, "given": "output and context", "least": threshold}


def _similar(value: Any, threshold: float | None, model: str) -> Made:
    if not model:
        raise NotUnderstood("no model is named that embeds")
    return {
        "kind": "similarity",
        "model": model,
        "expected": _text(value),
        "least": _SIMILAR if threshold is None else threshold,
    }


def _rubric(value: Any, threshold: float | None, model: str) -> Made:
    if not model:
        raise NotUnderstood("no model is named that judges")
    if threshold is not None:
        raise NotUnderstood("a rubric with a threshold has no counterpart: it passes or fails")
    return {"kind": "judge", "model": model, "rubric": _text(value), "scale": "pass or fail"}


def _latency(_value: Any, threshold: float | None, _model: str) -> Made:
    if threshold is None:
        raise NotUnderstood("it needs a threshold")
    return {"kind": "latency", "most_ms": threshold}


def _cost(_value: Any, threshold: float | None, _model: str) -> Made:
    return {"kind": "cost", "most_usd": None if threshold is None else Decimal(str(threshold))}


def _levenshtein(value: Any, threshold: float | None, _model: str) -> Made:
    edits = _EDITS if threshold is None else int(threshold)
    return {"kind": "levenshtein", "expected": _text(value), "most_edits": edits}


def _rouge(value: Any, threshold: float | None, _model: str) -> Made:
    """Of single words, as F; promptfoo's older releases took the recall."""
    least = _ROUGE if threshold is None else threshold
    return {"kind": "rouge", "variant": "1", "expected": _text(value), "least": least}


def _needed(value: Any) -> Any:
    if value is None:
        raise NotUnderstood("it has no value")
    if isinstance(value, str) and value.startswith("file://"):
        raise NotUnderstood("values from files are not read")
    return value


def _text(value: Any, *, files: bool = False) -> str:
    if not isinstance(value, str):
        raise NotUnderstood("its value must be a text")
    return value if files else str(_needed(value))


_MAKERS: Mapping[str, Callable[[Any, float | None, str], Made]] = {
    "equals": _equals,
    "contains": _contains("one", True),
    "icontains": _contains("one", False),
    "contains-any": _contains("any", True),
    "contains-all": _contains("all", True),
    "icontains-any": _contains("any", False),
    "icontains-all": _contains("all", False),
    "regex": _regex,
    "is-json": _is_json,
    "python": _python,
    "similar": _similar,
    "llm-rubric": _rubric,
    "latency": _latency,
    "cost": _cost,
    "levenshtein": _levenshtein,
    "rouge-n": _rouge,
}
_WITH_THRESHOLD = frozenset({"python", "similar", "llm-rubric", "latency", "cost", "levenshtein", "rouge-n"})
_REFUSED = {"javascript": "JavaScript is not run: write it as a Python function in the scorers' directory"}

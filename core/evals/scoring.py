"""What a scorer says of a case: `score(config, case)`, and several scores put together.

An answer that is an error fails every scorer, and an example that expects nothing is not applicable to one that
compares: neither is a zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import singledispatch
from typing import Any

import numpy as np
import regex
from rapidfuzz import distance

from core.evals import amounts, calls, documents, overlap, refusals
from core.evals.cases import Case, Score, State, as_text, failed, not_applicable, quoted, scored
from core.evals.differences import compare
from core.evals.scorers import (
    Bleu,
    Chrf,
    Computed,
    Contains,
    Cost,
    Exact,
    FirstToken,
    JsonDiff,
    JsonSchema,
    Language,
    Latency,
    Length,
    Levenshtein,
    Named,
    Number,
    Refusal,
    Regex,
    RougeOverlap,
    Similarity,
    TokenCount,
    ToolCalls,
)
from core.evals.wording import plain
from core.guard import language
from core.money import from_nano_usd, nano_usd
from core.prompts import schemas

LONGEST_COMPARED = 100_000
"""Characters: more are not compared letter by letter or run by run."""
_PATTERN_S = 0.5
_NOTHING_EXPECTED = "The example says nothing of what is expected."


def score(scorer: Computed, case: Case) -> Score:
    """What a scorer that needs nothing but the case says of it."""
    if case.error:
        return failed(f"The answer is an error: {case.error}")
    return counted(scorer, _score(scorer, case))


def counted(scorer: Named, found: Score) -> Score:
    """The score as the scorer's `negated` has it."""
    if not scorer.negated or found.state is not State.SCORED or found.value is None:
        return found
    value = found.value if found.unit else 1 - found.value
    return replace(found, value=value, passed=None if found.passed is None else not found.passed)


def similarity(scorer: Similarity, case: Case, answer: Sequence[float], expected: Sequence[float]) -> Score:
    """The cosine of two embeddings of the same length, −1 to 1, under the unit "cosine"."""
    if case.error:
        return failed(f"The answer is an error: {case.error}")
    one, two = (np.asarray(vector, dtype=np.float64) for vector in (answer, expected))
    if one.shape != two.shape or one.ndim != 1 or not one.size:
        return failed(f"The embeddings have {one.size} and {two.size} numbers: they cannot be compared.")
    lengths = float(np.linalg.norm(one)), float(np.linalg.norm(two))
    if not all(math.isfinite(length) and length > 0 for length in lengths):
        return failed("An embedding is all zeros or not of numbers.")
    value = max(-1.0, min(1.0, float((one / lengths[0]) @ (two / lengths[1]))))
    passed = None if scorer.least is None else value >= scorer.least
    return counted(scorer, scored(value, passed, f"The cosine of the embeddings is {value:.3f}.", unit="cosine"))


def together(scores: Sequence[tuple[float, Score]], *, least: float | None = None) -> Score:
    """Several scores of one case, each with its weight, as one: the weighted mean of shares and verdicts.

    A measured number counts by whether it passed. Passed when each did, or, with `least`, when the mean is at least
    that. A score that failed leaves the whole without a value; what is not applicable does not count.
    """
    told = [(weight, one) for weight, one in scores if one.state is not State.NOT_APPLICABLE and weight > 0]
    if lost := next((one for _, one in told if one.state is not State.SCORED), None):
        return replace(lost, details={})
    parts = [(weight, value, one) for weight, one in told if (value := _share(one)) is not None]
    if not parts:
        return not_applicable("No scorer has anything to say of this answer.")
    mean = sum(weight * value for weight, value, _ in parts) / sum(weight for weight, _, _ in parts)
    if least is not None:
        return scored(mean, mean >= least - 1e-12, f"The weighted mean is {mean:.3f}, {least:g} is enough.")
    wrong = next((one for _, _, one in parts if one.passed is False), None)
    return scored(mean, wrong is None, wrong.reason if wrong else "Every scorer is content.")


def _share(found: Score) -> float | None:
    if not found.unit:
        return found.value
    return None if found.passed is None else float(found.passed)


@singledispatch
def _score(scorer: Any, case: Case) -> Score:
    raise TypeError(f"{type(scorer).__name__} needs more than the case")


@_score.register
def _exact(scorer: Exact, case: Case) -> Score:
    wanted = _expected(scorer.expected, case)
    if wanted is None:
        return not_applicable(_NOTHING_EXPECTED)
    one, two = (
        plain(
            text,
            case_matters=scorer.case_matters,
            blanks=scorer.blanks,
            punctuation_matters=scorer.punctuation_matters,
        )
        for text in (case.text, wanted)
    )
    same = one == two
    return _verdict(same, "The answer is as expected." if same else f"{quoted(case.text)} is not {quoted(wanted)}.")


@_score.register
def _contains(scorer: Contains, case: Case) -> Score:
    wanted = _expected(None, case)
    texts = scorer.texts or ((wanted,) if wanted else ())
    if not texts:
        return not_applicable(_NOTHING_EXPECTED)
    answer = plain(case.text, case_matters=scorer.case_matters)
    there = [text for text in texts if plain(text, case_matters=scorer.case_matters) in answer]
    if scorer.which == "none":
        return _verdict(not there, f"It contains {quoted(there[0])}." if there else "It contains none of the texts.")
    if scorer.which == "any":
        return _verdict(bool(there), f"It contains {quoted(there[0])}." if there else "It contains none of the texts.")
    lacking = [text for text in texts if text not in there]
    reason = f"It does not contain {', '.join(quoted(text, 40) for text in lacking[:5])}." if lacking else ""
    return scored(len(there) / len(texts), not lacking, reason or "It contains all that it should.")


@_score.register
def _regex(scorer: Regex, case: Case) -> Score:
    compiled = regex.compile(scorer.pattern, 0 if scorer.case_matters else regex.IGNORECASE)
    find = compiled.fullmatch if scorer.whole else compiled.search
    try:
        found = find(case.text, timeout=_PATTERN_S, concurrent=True)
    except (TimeoutError, MemoryError):
        return failed(f"The pattern {quoted(scorer.pattern)} takes too long on this answer.")
    said = f"{quoted(found[0], 40)} fits the pattern." if found else f"Nothing fits {quoted(scorer.pattern)}."
    return _verdict(found is not None, said)


@_score.register
def _json_schema(scorer: JsonSchema, case: Case) -> Score:
    try:
        wrong = schemas.misfit(scorer.answer_schema, documents.unfenced(case.text) if scorer.fenced else case.text)
    except schemas.Unchecked as why:
        return failed(str(why))
    return _verdict(not wrong, wrong or "The answer is JSON of the schema.")


@_score.register
def _json_diff(scorer: JsonDiff, case: Case) -> Score:
    wanted = scorer.expected if scorer.expected is not None else case.expected
    if wanted is None:
        return not_applicable(_NOTHING_EXPECTED)
    try:
        wanted = documents.loads(wanted, "The expected answer") if isinstance(wanted, str) else wanted
    except documents.Unreadable as why:
        return not_applicable(str(why))
    try:
        given = documents.loads(documents.unfenced(case.text) if scorer.fenced else case.text, "The answer")
    except documents.Unreadable as why:
        return failed(str(why)) if why.is_too_much else _verdict(False, str(why))
    found = compare(given, wanted, ignored=scorer.ignored, tolerance=scorer.tolerance, more_is_fine=scorer.more_is_fine)
    reason = "; ".join(str(one) for one in found.differences[:3])
    return scored(
        found.share,
        found.share >= scorer.least,
        f"{found.equal} of {found.leaves} values are as expected{': ' + reason if reason else ''}.",
        details={"equal": found.equal, "leaves": found.leaves},
    )


@_score.register
def _number(scorer: Number, case: Case) -> Score:
    expected = _expected(scorer.expected, case)
    wanted = None if expected is None else amounts.find(expected, mark=_mark_of(scorer, case))
    if wanted is None:
        return not_applicable("The example expects no number.")
    found = amounts.find(case.text, mark=scorer.mark, unit=scorer.unit, which=scorer.which)
    if found is None:
        of = f" with the unit {quoted(scorer.unit)}" if scorer.unit else ""
        several = " a single" if scorer.which == "only" else " a"
        return _verdict(False, f"The answer has not{several} number{of}.")
    near = amounts.is_close(found, wanted, absolute=scorer.absolute, relative=scorer.relative)
    return _verdict(
        near,
        f"{found} is {'near enough to' if near and found != wanted else 'the expected' if near else 'not'} {wanted}.",
    )


def _mark_of(scorer: Number, case: Case) -> amounts.Mark:
    """Numbers of JSON have a point, whatever the answer's language writes."""
    expected = scorer.expected if scorer.expected is not None else case.expected
    return scorer.mark if isinstance(expected, str) else "."


@_score.register
def _levenshtein(scorer: Levenshtein, case: Case) -> Score:
    def likeness(one: str, two: str) -> Score:
        one, two = (plain(text, case_matters=scorer.case_matters) for text in (one, two))
        away = distance.Levenshtein.distance(one, two)
        share = 1 - away / max(len(one), len(two), 1)
        limits = [share >= scorer.least] if scorer.least is not None else []
        limits += [away <= scorer.most_edits] if scorer.most_edits is not None else []
        reason = f"{away} edits lead from the answer to what is expected."
        return scored(share, all(limits) if limits else None, reason, details={"edits": away})

    return _likeness(scorer.expected, case, likeness)


@_score.register
def _rouge(scorer: RougeOverlap, case: Case) -> Score:
    def likeness(one: str, two: str) -> Score:
        found = overlap.rouge(one, two, scorer.variant)
        value = {"f": found.f, "precision": found.precision, "recall": found.recall}[scorer.measure]
        details = {"f": found.f, "precision": found.precision, "recall": found.recall}
        return _graded(value, scorer.least, f"ROUGE-{scorer.variant} ({scorer.measure})", details)

    return _likeness(scorer.expected, case, likeness)


@_score.register
def _bleu(scorer: Bleu, case: Case) -> Score:
    return _likeness(scorer.expected, case, lambda one, two: _graded(overlap.bleu(one, two), scorer.least, "BLEU"))


@_score.register
def _chrf(scorer: Chrf, case: Case) -> Score:
    return _likeness(scorer.expected, case, lambda one, two: _graded(overlap.chrf(one, two), scorer.least, "chrF"))


@_score.register
def _latency(scorer: Latency, case: Case) -> Score:
    return _measured(case.latency_ms, scorer.most_ms, "ms", "The answer took")


@_score.register
def _first_token(scorer: FirstToken, case: Case) -> Score:
    return _measured(case.first_token_ms, scorer.most_ms, "ms", "The first token took")


@_score.register
def _cost(scorer: Cost, case: Case) -> Score:
    if case.cost_nano_usd is None:
        return not_applicable("What the answer cost is not known.")
    usd = from_nano_usd(case.cost_nano_usd)
    if scorer.most_usd is None:
        return scored(case.cost_nano_usd, None, f"It cost ${usd:f}.", unit="nano-dollars")
    passed = case.cost_nano_usd <= nano_usd(scorer.most_usd)
    return scored(
        case.cost_nano_usd,
        passed,
        f"It cost ${usd:f}, {'within' if passed else 'more than'} ${scorer.most_usd:f}.",
        unit="nano-dollars",
    )


@_score.register
def _tokens(scorer: TokenCount, case: Case) -> Score:
    known = {"input": [case.input_tokens], "output": [case.output_tokens]}
    parts = known.get(scorer.of, [case.input_tokens, case.output_tokens])
    total = None if None in parts else sum(part or 0 for part in parts)
    return _measured(total, scorer.most, "tokens", "It used")


@_score.register
def _refusal(scorer: Refusal, case: Case) -> Score:
    why = refusals.said_by(case)
    said = f"The model declined: {why}." if why else "The model did not decline."
    return _verdict(bool(why) is scorer.wanted, said)


@_score.register
def _language(scorer: Language, case: Case) -> Score:
    code, sure = language.of(case.said)
    if not code:
        return not_applicable("The answer is too short to tell its language.")
    return _verdict(code in scorer.languages, f"It reads like “{code}” ({sure:.0%} sure).")


@_score.register
def _length(scorer: Length, case: Case) -> Score:
    count = len(case.text.split()) if scorer.unit == "words" else len(case.text)
    limits = [count >= scorer.least] if scorer.least is not None else []
    limits += [count <= scorer.most] if scorer.most is not None else []
    return scored(count, all(limits) if limits else None, f"It has {count:,} {scorer.unit}.", unit=scorer.unit)


@_score.register
def _tool_calls(scorer: ToolCalls, case: Case) -> Score:
    wanted = scorer.calls if scorer.calls is not None else calls.of_example(case.expected)
    if wanted is None:
        return not_applicable("The example does not say which tools should be called.")
    return calls.judged(scorer, case.tool_calls, wanted)


def _expected(own: Any, case: Case) -> str | None:
    value = own if own is not None else case.expected
    return None if value is None else as_text(value)


def _likeness(own: Any, case: Case, compared: Callable[[str, str], Score]) -> Score:
    wanted = _expected(own, case)
    if wanted is None:
        return not_applicable(_NOTHING_EXPECTED)
    if max(len(case.text), len(wanted)) > LONGEST_COMPARED:
        return failed(f"Texts of more than {LONGEST_COMPARED:,} characters are not compared.")
    return compared(case.text, wanted)


def _graded(
    value: float, least: float | None, name: str, details: Mapping[str, float | int | str] | None = None
) -> Score:
    enough = "" if least is None else f", {least:g} is enough"
    return scored(value, None if least is None else value >= least, f"{name} is {value:.3f}{enough}.", details=details)


def _measured(value: float | int | None, most: float | None, unit: str, said: str) -> Score:
    if value is None:
        return not_applicable("It was not measured.")
    passed = None if most is None else value <= most
    limit = "" if most is None else f", {'within' if passed else 'more than'} {most:,g}"
    return scored(value, passed, f"{said} {value:,.0f} {unit}{limit}.", unit=unit)


def _verdict(passed: bool, reason: str) -> Score:
    return scored(float(passed), passed, reason)

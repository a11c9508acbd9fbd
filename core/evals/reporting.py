"""What is told of a run that an eval file started: figures, thresholds, and every cell for a report in XML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from sqlmodel import Session

from core.datasets import queries as datasets
from core.datasets.queries import ItemView
from core.datasets.rules import Kind
from core.evals import across, belonging, comparing, junit, measuring
from core.evals.asking import Json
from core.evals.cases import Score, State, quoted
from core.evals.comparing import Row
from core.evals.files import Wanted
from core.evals.junit import Cell, Suite
from core.evals.measuring import Exit, Figures, Judged
from core.evals.preparing import Baseline
from core.evals.scorers import PairwiseJudge
from core.evals.thresholds import OnRegression
from core.experiments import queries, rules
from core.experiments.queries import RunView
from core.experiments.rules import State as Stand
from core.ids import shown
from core.statistics.proportions import Estimate
from core.wire import openai

VERSION = 1
"""Of the JSON: it changes when a field gets another meaning or goes, not when one is added."""
_PAGE = 200


@dataclass(frozen=True, slots=True)
class Report:
    """A run, its figures, what came of the thresholds, and what a program is told. `notes` are sentences."""

    run: RunView
    figures: tuple[Figures, ...]
    judged: tuple[Judged, ...]
    code: Exit
    baseline: Baseline | None
    notes: tuple[str, ...]


def report(session: Session, wanted: Wanted, run: RunView, baseline: Baseline | None) -> Report:
    """The report of a run as far as it has come."""
    mine = [run.project_id]
    letters = [arm.letter for arm in run.arms]
    own_baseline = baseline.letter if baseline is not None and baseline.run is None else ""
    units = {(one.scorer, one.arm): one.unit for one in queries.summed(session, run.id, project_ids=mine)}
    together = belonging.clusters(session, run, project_ids=mine)
    strangers, reset = _not_the_same(session, run, baseline)
    found: list[Figures] = []
    for scorer in wanted.scorers:
        rows = queries.values(session, run.id, scorer.name, project_ids=mine)
        earlier: Sequence[Row] = rows
        if baseline is not None and baseline.run is not None:
            earlier = queries.values(session, baseline.run.id, scorer.name, project_ids=mine)
        for letter in letters:
            if not any(row[1] == letter for row in rows):
                continue
            before = None
            if baseline is not None and letter != own_baseline and scorer.name not in reset:
                of = baseline.of(letter)
                before = [row for row in earlier if row[1] == of and row[0] not in strangers]
            unit = units.get((scorer.name, letter), "")
            found.append(measuring.figures(scorer.name, unit, rows, letter, before, together=together))
    pairwise = [one.name for one in wanted.scorers if isinstance(one, PairwiseJudge)]
    judged = measuring.judge(wanted.limits, found, letters, baseline=own_baseline, compared=pairwise)
    notes = [f"“{name}” is set differently in the earlier run: it is not compared." for name in reset]
    if strangers:
        notes.append(
            f"{len(strangers)} of {run.items} examples are asked or expected otherwise than in the earlier run: "
            "not compared."
        )
    if wanted.takes_last_passing:
        new = [one for one in judged if isinstance(one.outcome.limit, OnRegression) and not _has_before(one, found)]
        judged = tuple(one for one in judged if one not in new)
        if new:
            notes.append(
                "No earlier run of this name that passed has these scores: regressions are judged from now on."
            )
    if run.left:
        notes.append(f"{run.left} of {run.cells} cells were not asked. {run.why}".strip())
    if run.failed:
        notes.append(f"{run.failed} of {run.cells} cells failed.")
    was_measured = any(one.measured.scored for one in found)
    code = measuring.code(judged, is_whole=run.state is Stand.DONE and not run.left, was_measured=was_measured)
    silent = dict.fromkeys(one.scorer for one in found if one.measured.cells and one.failed == one.measured.cells)
    notes += [f"“{name}” scored nothing: {_why(session, run, name)}" for name in silent]
    if silent and code is Exit.PASSED:
        code = Exit.UNKNOWN
    if not was_measured:
        notes.append("Nothing was measured.")
    return Report(run, tuple(found), judged, code, baseline, tuple(notes))


def _not_the_same(session: Session, run: RunView, baseline: Baseline | None) -> tuple[frozenset[int], list[str]]:
    """What cannot be held against an earlier run: examples it asked or expected otherwise, scorers set otherwise."""
    if baseline is None or baseline.run is None or baseline.run.dataset_id != run.dataset_id:
        return frozenset(), []
    reset = [name for name, why in across.differing(baseline.run, run).items() if why == across.SET_DIFFERENTLY]
    return across.changed(session, baseline.run, run, project_ids=[run.project_id]), reset


def _why(session: Session, run: RunView, scorer: str) -> str:
    """Why a scorer failed, of the first example that says so."""
    mine = [run.project_id]
    keys = queries.keys(session, run.id, project_ids=mine, limit=1)
    said = queries.scores(session, run.id, project_ids=mine, item_keys=keys)
    return next((one.reason for one in said if one.scorer == scorer and one.reason), "it failed everywhere.")


def rows(found: Report) -> list[tuple[str, ...]]:
    """The figures as a table for people: variant, scorer, mean, interval, n, passed, failed, invalid."""
    return [
        (
            one.variant,
            one.scorer,
            "–" if one.measured.mean is None else _number(one.measured.mean.value, one.unit),
            _interval(one.measured.mean, one.unit),
            str(one.measured.scored),
            f"{one.measured.passed} of {one.measured.judged}" if one.measured.judged else "–",
            str(one.failed),
            str(one.invalid),
        )
        for one in found.figures
    ]


TITLES = ("variant", "scorer", "mean", "95 % interval", "n", "passed", "failed", "invalid")


def as_json(found: Report, *, url: str) -> Json:
    """The report for programs; money as text, in US dollars; an interval's end that is not known is null."""
    run = found.run
    return {
        "version": VERSION,
        "exit_code": int(found.code),
        "run": shown("exp", run.id),
        "url": url,
        "name": run.name,
        "state": str(run.state),
        "dataset": {"id": run.dataset_id, "version": run.dataset_version, "split": run.split, "examples": run.items},
        "cells": {"all": run.cells, "answered": run.done, "failed": run.failed, "not_asked": run.left},
        "cost_usd": f"{run.spent_usd:f}",
        "unpriced_calls": run.unpriced,
        "baseline": _baseline(found.baseline),
        "variants": [
            {
                "variant": arm.letter,
                "label": arm.label,
                "scorers": [_figures(one) for one in found.figures if one.variant == arm.letter],
            }
            for arm in run.arms
        ],
        "thresholds": [
            {
                "variant": one.variant,
                "threshold": one.outcome.limit.model_dump(mode="json", exclude_defaults=True),
                "met": one.outcome.met,
                "judged": one.outcome.is_judged,
                "reason": one.outcome.reason,
            }
            for one in found.judged
        ],
        "notes": list(found.notes),
    }


def as_junit(session: Session, found: Report, titles: Mapping[str, str]) -> bytes:
    """The report as JUnit XML: a suite per variant, and one of the thresholds."""
    run = found.run
    cells: dict[str, list[Cell]] = {arm.letter: [] for arm in run.arms}
    after = 0
    while True:
        page = datasets.in_order(
            session,
            dataset_id=run.dataset_id,
            kind=Kind.ITEM,
            after=after,
            limit=_PAGE,
            version=run.dataset_version,
            split=run.split,
        ).rows
        if not page:
            break
        _add(session, run, page, titles, cells)
        after = page[-1].key
    suites = [Suite(f"{arm.letter} {arm.label}"[:200], tuple(cells[arm.letter])) for arm in run.arms]
    return junit.document(run.name, suites, [_named(one, len(run.arms)).outcome for one in found.judged])


def title(item: ItemView, titles: Mapping[str, str]) -> str:
    """What an example is called: as its file says, else by what is asked."""
    if said := titles.get(item.source or ""):
        return said[:200]
    for message in reversed(item.input.get("messages") or []):
        if message.get("role") == "user" and (text := openai.text_of(message.get("content"))):
            return quoted(text, 100)
    variables = item.input.get("variables") or {}
    return quoted(", ".join(f"{name}: {value}" for name, value in variables.items()), 100)


def _add(
    session: Session,
    run: RunView,
    page: Sequence[ItemView],
    titles: Mapping[str, str],
    cells: Mapping[str, list[Cell]],
) -> None:
    mine, keys = [run.project_id], [item.key for item in page]
    most = len(keys) * len(run.arms) * run.repeats
    times = {
        cell.place: cell.total_ms
        for cell in queries.cells(session, run.id, project_ids=mine, item_keys=keys, limit=most)
    }
    said: dict[rules.Place, list[tuple[str, Score]]] = {}
    for score in queries.scores(session, run.id, project_ids=mine, item_keys=keys):
        made = Score(State(score.state), score.value, score.passed, score.reason, score.unit)
        said.setdefault(score.place, []).append((score.scorer, made))
    order = {str(one.get("name")): place for place, one in enumerate(run.scorers)}
    named = {item.key: title(item, titles) for item in page}
    for place in rules.places(keys, [arm.letter for arm in run.arms], run.repeats):
        name = named[place.item_key] + (f", time {place.repeat}" if run.repeats > 1 else "")
        took = times.get(place)
        for scorer, told in sorted(said.get(place, ()), key=lambda one: order.get(one[0], 0)):
            cells[place.arm].append(Cell(name, scorer, told, None if took is None else took / 1000))


def _has_before(judged: Judged, found: Sequence[Figures]) -> bool:
    scorer = judged.outcome.limit.scorer
    return any(one.before is not None for one in found if (one.variant, one.scorer) == (judged.variant, scorer))


def _named(judged: Judged, variants: int) -> Judged:
    """With the variant in the reason, where there are several."""
    outcome = judged.outcome
    if variants == 1:
        return judged
    told = type(outcome)(outcome.limit, outcome.met, f"{judged.variant}: {outcome.reason}", outcome.is_judged)
    return Judged(judged.variant, told)


def _baseline(found: Baseline | None) -> Json | None:
    if found is None:
        return None
    return {"run": None if found.run is None else shown("exp", found.run.id), "variant": found.letter or None}


def _figures(one: Figures) -> Json:
    made = one.measured
    return {
        "scorer": one.scorer,
        "unit": one.unit,
        "cells": made.cells,
        "n": made.scored,
        "mean": _estimate(made.mean),
        "judged": made.judged,
        "passed": made.passed,
        "pass_share": _estimate(made.share),
        "failed": one.failed,
        "invalid": one.invalid,
        "not_applicable": one.not_applicable,
        "difference_to_baseline": _estimate(made.difference),
        "pass_share_difference_to_baseline": _estimate(made.share_difference),
    }


def _estimate(found: Estimate | None) -> dict[str, Any] | None:
    if found is None:
        return None
    low, high = (end if isfinite(end) else None for end in (found.low, found.high))
    return {"value": found.value, "low": low, "high": high, "n": found.n}


def _number(value: float, unit: str) -> str:
    unit, scale = comparing.shown(unit)
    if unit == "USD":
        return f"{value * scale:,.6f} {unit}"
    return f"{value:,.3f}" if not unit or unit in comparing.BELOW_ZERO else f"{value:,.4g} {unit}"


def _interval(found: Estimate | None, unit: str) -> str:
    if found is None or not isfinite(found.low) or not isfinite(found.high):
        return "–"
    low = found.low if unit in comparing.BELOW_ZERO else max(found.low, 0.0)
    return f"{_number(low, unit).split(' ')[0]} – {_number(found.high, unit)}"

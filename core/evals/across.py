"""Two variants held against each other, of one run or of two runs over one dataset.

Of two runs the examples are paired that are asked and expected the same in both, and the scorers that are set the same
in both; what is left out is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from core.datasets import versions
from core.datasets.queries import ItemView
from core.errors import Invalid
from core.evals import belonging, comparing
from core.evals.comparing import Clusters, Comparison, Row
from core.experiments import queries
from core.experiments.queries import RunView

PAIRWISE = "pairwise judge"
SET_DIFFERENTLY = "it is set differently in the two runs"
_PER_READ = 500


@dataclass(frozen=True, slots=True)
class Side:
    """A variant of a run; `name` is what sentences call it."""

    run: RunView
    letter: str
    name: str


@dataclass(frozen=True, slots=True)
class Held:
    """The comparison; and of two runs what is not in it: scorers, each with why, and how many examples were asked or
    expected differently (`changed`), or are in one of the runs only (`unmatched`)."""

    comparison: Comparison
    left_out: tuple[tuple[str, str], ...] = ()
    changed: int = 0
    unmatched: int = 0


def held(session: Session, one: Side, other: Side, *, project_ids: Sequence[int]) -> Held:
    """Two variants compared, scorer by scorer.

    Raises: Invalid for runs over two datasets, or one variant twice; NotFound.
    """
    if (one.run.id, one.letter) == (other.run.id, other.letter):
        raise Invalid("A variant cannot be compared with itself.", code="experiment", hint="Choose another one.")
    if one.run.id == other.run.id:
        return Held(_of_one_run(session, one, other, project_ids))
    if one.run.dataset_id != other.run.dataset_id:
        raise Invalid(
            "These runs asked different datasets.", code="experiment", hint="Choose a run over the same dataset."
        )
    return _of_two(session, one, other, project_ids)


def _of_one_run(session: Session, one: Side, other: Side, project_ids: Sequence[int]) -> Comparison:
    run, names = one.run, (one.name, other.name)
    units = _units(session, run, project_ids)
    first = run.arms[0].letter
    together = belonging.clusters(session, run, project_ids=project_ids)
    found = []
    for name, told in _scorers(run).items():
        kind = str(told["kind"])
        if name not in units or (kind == PAIRWISE and first not in (one.letter, other.letter)):
            continue
        rows = queries.values(session, run.id, name, project_ids=project_ids, arms=(one.letter, other.letter))
        if kind == PAIRWISE:
            rows = comparing.preferences(rows, first=first, one=one.letter, other=other.letter)
        rows = _named(rows, {one.letter: one.name, other.letter: other.name})
        found.append(_beside(name, told, rows, names, units[name], together))
    return _compare(session, found, one, other, project_ids)


def _of_two(session: Session, one: Side, other: Side, project_ids: Sequence[int]) -> Held:
    ours, theirs = _scorers(one.run), _scorers(other.run)
    units, their_units = (_units(session, side.run, project_ids) for side in (one, other))
    strangers = changed(session, one.run, other.run, project_ids=project_ids)
    together = belonging.clusters(session, other.run, project_ids=project_ids)
    apart = differing(one.run, other.run)
    left_out: list[tuple[str, str]] = []
    found = []
    asked: tuple[set[int], set[int]] = (set(), set())
    for name in dict.fromkeys([*theirs, *ours]):
        if name in apart:
            left_out.append((name, apart[name]))
        elif name in units and name in their_units:
            sides = [
                queries.values(session, side.run.id, name, project_ids=project_ids, arms=(side.letter,))
                for side in (one, other)
            ]
            for seen, rows in zip(asked, sides, strict=True):
                seen.update(row[0] for row in rows)
            both = asked[0] & asked[1] - strangers
            rows = [
                row
                for side, some in zip((one, other), sides, strict=True)
                for row in _named(some, {side.letter: side.name})
                if row[0] in both
            ]
            found.append(_beside(name, theirs[name], rows, (one.name, other.name), their_units[name], together))
    return Held(
        _compare(session, found, one, other, project_ids),
        tuple(left_out),
        changed=len(asked[0] & asked[1] & strangers),
        unmatched=len(asked[0] ^ asked[1]),
    )


def changed(session: Session, one: RunView, other: RunView, *, project_ids: Sequence[int]) -> frozenset[int]:
    """The examples of both that two runs over one dataset asked differently, or expected another answer of, by key. The
    cost is that of what was changed between the two versions.
    """
    if one.dataset_version == other.dataset_version:
        return frozenset()
    old, new = sorted((one.dataset_version, other.dataset_version))
    found: set[int] = set()
    after: int | None = 0
    while after is not None:
        page = versions.diff(
            session, one.dataset_id, project_ids=project_ids, old=old, new=new, after=after, limit=_PER_READ
        )
        found.update(change.key for change in page.rows if _is_other(change.before, change.after))
        after = page.next_after
    return frozenset(found)


def differing(one: RunView, other: RunView) -> dict[str, str]:
    """The scorers whose scores in two runs say nothing of each other, with why."""
    ours, theirs = _scorers(one), _scorers(other)
    found: dict[str, str] = {}
    for name in dict.fromkeys([*theirs, *ours]):
        if name not in ours or name not in theirs:
            found[name] = "only one of the runs has it"
        elif theirs[name]["kind"] == PAIRWISE:
            found[name] = "it compares the variants of one run"
        elif ours[name] != theirs[name]:
            found[name] = SET_DIFFERENTLY
    return found


def candidates(session: Session, run: RunView, *, project_ids: Sequence[int], limit: int = 50) -> tuple[RunView, ...]:
    """The newest other runs over the dataset of this one that have answers: what it can be held against."""
    found = queries.runs(session, project_ids=project_ids, dataset_id=run.dataset_id, limit=limit + 1)
    return tuple(row for row in found if row.id != run.id and row.done)[:limit]


def _is_other(one: ItemView | None, other: ItemView | None) -> bool:
    return one is not None and other is not None and (one.input, one.expected) != (other.input, other.expected)


def _scorers(run: RunView) -> dict[str, Mapping[str, Any]]:
    return {str(told["name"]): told for told in run.scorers}


def _units(session: Session, run: RunView, project_ids: Sequence[int]) -> dict[str, str]:
    """Of the scorers that have said anything."""
    return {each.scorer: each.unit for each in queries.summed(session, run.id, project_ids=project_ids)}


def _named(rows: Sequence[Row], names: Mapping[str, str]) -> list[Row]:
    return [(row[0], names[row[1]], *row[2:]) for row in rows if row[1] in names]


def _beside(
    name: str, told: Mapping[str, Any], rows: Sequence[Row], names: tuple[str, str], unit: str, together: Clusters
) -> comparing.Beside:
    return comparing.beside(
        name, str(told["kind"]), rows, one=names[0], other=names[1], unit=unit, negated=bool(told.get("negated")),
        together=together,
    )  # fmt: skip


def _compare(
    session: Session, found: Sequence[comparing.Beside], one: Side, other: Side, project_ids: Sequence[int]
) -> Comparison:
    first, second = (
        queries.failures(session, side.run.id, project_ids=project_ids).get(side.letter, 0) for side in (one, other)
    )
    return comparing.compare(found, one=one.name, other=other.name, failed=(first, second))

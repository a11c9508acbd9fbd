"""What every variant scored: the mean with its interval, how many passed, and what has no score."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import streamlit as st

from core.evals import belonging, comparing
from core.evals.comparing import Arm as Scored
from core.experiments import queries
from core.experiments.queries import RunView, Summed
from pages.parts import amounts, experiment_judges, hostile, reads


@st.cache_data(show_spinner=False, max_entries=32)
def scored(
    run_id: int,
    project_id: int,
    sums: tuple[Summed, ...],
    letters: Sequence[str],
    units: Sequence[tuple[str, str]],
) -> dict[str, list[Scored]]:
    """Every scorer over every variant; read again when any sum is another: cells ended, people decided."""
    del sums
    mine = (project_id,)
    together = reads.fresh(belonging.clusters, reads.fresh(queries.run, run_id, project_ids=mine), project_ids=mine)
    return {
        name: comparing.by_arm(
            reads.fresh(queries.values, run_id, name, project_ids=mine), letters, unit=unit, together=together
        )
        for name, unit in units
    }


def draw(row: RunView) -> None:
    """A table: scorers down as they were chosen, variants across."""
    summed = reads.fresh(queries.summed, row.id, project_ids=(row.project_id,))
    if not summed:
        st.info("No scorer has said anything yet.", icon=":material/hourglass_empty:")
        _waiting(row)
        return
    known = {one.scorer: one.unit for one in summed}
    units = [(name, known[name]) for scorer in row.scorers if (name := str(scorer["name"])) in known]
    letters = tuple(arm.letter for arm in row.arms)
    found = scored(row.id, row.project_id, summed, letters, tuple(units))
    table: dict[str, list[str]] = {"": [hostile.label(name) for name in found]}
    for place, letter in enumerate(letters):
        table[f"**{letter}**"] = [told(found[name][place], comparing.shown(unit)[0]) for name, unit in units]
    st.table(table, border="horizontal", alt="What every variant scored, by scorer")
    st.caption(
        "The mean over examples with its 95 % interval; examples that were asked several times count once, and the "
        "errors of turns of one conversation, or of a group (a tag group:…), are clustered. Failed "
        "answers, and judges without a valid verdict, give no score and are in no mean."
    )
    experiment_judges.draw(row)
    _waiting(row)


def _waiting(row: RunView) -> None:
    """How many answers people have yet to judge, and where."""
    for scorer in row.scorers:
        if scorer["kind"] != "human":
            continue
        name = str(scorer["name"])
        judged = reads.fresh(queries.said, row.id, [name], project_ids=(row.project_id,))
        if judged < row.done:
            st.caption(
                f"{hostile.label(name)}: {amounts.count(judged)} of {amounts.count(row.done, 'answer')} judged; the "
                f"others wait in the queue {hostile.label(str(scorer['queue']))} under Review queue."
            )


def told(one: Scored, unit: str) -> str:
    """`0.82 (0.75 to 0.88), 40 of 49 passed; 1 failed`."""
    if one.mean is None:
        said = "no score" if one.failed or one.invalid or one.not_applicable else "–"
    elif one.low is None or one.high is None:
        said = f"{value(one.mean, unit)} (n {one.n})"
    else:
        low = one.low if not unit or unit in comparing.BELOW_ZERO else max(0.0, one.low)
        said = f"{value(one.mean, unit)} ({value(low, unit)} to {value(one.high, unit)})"
    parts = [said]
    if one.judged:
        parts.append(f"{amounts.count(one.passed)} of {amounts.count(one.judged)} passed")
    lacking = ((one.failed, "failed"), (one.invalid, "without a valid verdict"), (one.not_applicable, "not applicable"))
    parts += [f"{amounts.count(count)} {name}" for count, name in lacking if count]
    return hostile.sentence("; ".join(parts))


def value(number: float, unit: str) -> str:
    """A value with its unit."""
    if unit == "ms":
        return amounts.duration(number)
    if unit == "USD":
        return amounts.money(Decimal(f"{number:.9f}"))
    return f"{number:,.2f}" + (f" {unit}" if unit else "")

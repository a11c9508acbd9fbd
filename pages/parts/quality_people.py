"""Each reviewer's figures: known answers, haste, strictness and its drift."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
import streamlit as st

from core.people import queries as people
from core.review import quality
from core.review.quality import Judgement, Reviewer
from core.statistics.proportions import Estimate
from pages.parts import actors, amounts, hostile, reads

FEWEST_TESTS = 3  # known answers before anybody is told of


def draw(judged: Sequence[Judgement], at: datetime) -> None:
    """One row a person, and what needs a talk in sentences above."""
    rows = quality.reviewers(judged, at=at)
    names = {one: hostile.line(name) for one, name in _names(rows).items()}
    st.subheader("Reviewers", anchor=False)
    for row in rows:
        for sentence in _flags(row):
            st.warning(f"{hostile.sentence(names[row.reviewer])} {sentence}", icon=":material/flag:")
    st.dataframe(
        pd.DataFrame(
            {
                "Reviewer": [names[row.reviewer] for row in rows],
                "Verdicts": [row.verdicts for row in rows],
                "Half within": [amounts.duration(row.median_s * 1000) for row in rows],
                "Too fast": [amounts.share(row.too_fast, row.verdicts) for row in rows],
                "Known answers right": [_tested(row.tested) for row in rows],
                "Not approved": [_share(row.strict) for row in rows],
                "Stricter by": [_drift(row.drift) for row in rows],
            }
        ),
        hide_index=True,
        key="quality_people",
        alt=f"The figures of {amounts.count(len(rows), 'reviewer')}, who decided most first.",
    )
    st.caption(
        "Shares have their 95 % intervals. Too fast is less than a third of the time that people need on average to "
        "read the answer. Not approved means edited, rejected or escalated. Stricter by is how many percentage points "
        f"more that was in the last two weeks than before, where both have {quality.ENOUGH} verdicts."
    )


def _names(rows: Sequence[Reviewer]) -> dict[str, str]:
    known = reads.fresh(people.names, [row.reviewer for row in rows])
    return {row.reviewer: actors.name(row.reviewer, known) for row in rows}


def _flags(row: Reviewer) -> list[str]:
    found = []
    if row.is_too_fast:
        found.append(f"decided {amounts.share(row.too_fast, row.verdicts)} of answers faster than anybody reads them.")
    if row.tested is not None and row.tested.n >= FEWEST_TESTS and row.tested.high < 0.8:
        right = round(row.tested.value * row.tested.n)
        found.append(f"judged {right:,} of {amounts.count(row.tested.n, 'known answer')} right.")
    if row.drift is not None and row.has_drifted:
        way, more = ("stricter", "more") if row.drift.value > 0 else ("milder", "fewer")
        points = f"{100 * abs(row.drift.value):.0f}"
        found.append(
            f"has become {way}: of 100 answers in the last two weeks, {points} {more} than before were edited, "
            "rejected or escalated."
        )
    return found


def _tested(found: Estimate | None) -> str:
    if found is None:
        return "none asked"
    return f"{amounts.percent(found.value)} of {found.n} {_interval(found)}"


def _share(found: Estimate) -> str:
    return f"{amounts.percent(found.value)} {_interval(found)}"


def _interval(found: Estimate) -> str:
    return f"({100 * found.low:.0f} to {100 * found.high:.0f})"


def _drift(found: Estimate | None) -> str:
    if found is None:
        return "too few"
    return f"{100 * found.value:+.0f} ({100 * found.low:+.0f} to {100 * found.high:+.0f})"

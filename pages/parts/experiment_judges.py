"""Models that judged, against people who judged the same answers: how far they are to be trusted."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from core.experiments import queries
from core.experiments.queries import RunView
from core.statistics.judging import Confusion, correct, trust
from core.statistics.proportions import Estimate
from pages.parts import hostile, reads


def draw(row: RunView) -> None:
    """A model that judged, against people who judged the same answers."""
    people = [str(s["name"]) for s in row.scorers if s["kind"] == "human"]
    judges = [str(s["name"]) for s in row.scorers if s["kind"] == "judge"]
    for human in people:
        truth = _passed(row, human)
        for judge in judges:
            said = _passed(row, judge)
            labels = [(truth[place], said[place]) for place in truth if place in said]
            if not labels:
                continue
            confusion = Confusion.of(labels)
            found = trust(confusion)
            told = [f"{judge} against {human}, {len(labels)} answers"]
            for name, rate in (("finds what is good", found.tpr), ("finds what is bad", found.tnr)):
                if rate is not None:
                    told.append(f"{name} in {_share(rate)}")
            if found.kappa is not None:
                told.append(f"κ {found.kappa:.2f}")
            st.markdown(hostile.sentence("; ".join(told)) + ".")
            _corrected(row, said, confusion)


def _corrected(row: RunView, said: Mapping[tuple[int, str, int], bool], confusion: Confusion) -> None:
    """Each variant's pass rate as the judge reported it, and corrected for the judge's mistakes, with intervals."""
    told, why = [], ""
    for arm in row.arms:
        verdicts = [ok for (_, letter, _), ok in said.items() if letter == arm.letter]
        if not verdicts:
            continue
        found = correct(sum(verdicts), len(verdicts), confusion)
        why = found.sentence
        if found.corrected is not None:
            told.append(
                f"{arm.letter} passes {_share(found.observed)} by the judge, corrected {_share(found.corrected)}"
            )
    if told:
        st.markdown(hostile.sentence("; ".join(told)) + ".")
    st.caption(hostile.sentence(why))


def _share(found: Estimate) -> str:
    return f"{100 * found.value:.0f} % ({100 * found.low:.0f} to {100 * found.high:.0f})"


def _passed(row: RunView, scorer: str) -> dict[tuple[int, str, int], bool]:
    found = reads.fresh(queries.values, row.id, scorer, project_ids=(row.project_id,))
    return {(key, arm, repeat): ok for key, arm, repeat, _, ok, _ in found if ok is not None}

"""One run: how far it has come, what each variant scored, two of them compared, and what to do next."""

from __future__ import annotations

from decimal import ROUND_UP, Decimal

import streamlit as st

from core import clock, runtime
from core.datasets import queries as datasets
from core.errors import GreenroomError
from core.evals import people
from core.evals import scorers as evals
from core.evals.scorers import Human
from core.experiments import actions, queries
from core.experiments.queries import RunView
from core.experiments.rules import State
from core.people.rules import Permission, Principal
from pages.parts import (
    acting,
    amounts,
    experiment_beside,
    experiment_cells,
    experiment_list,
    experiment_next,
    experiment_scores,
    experiment_sides,
    hostile,
    moments,
    reads,
    tabs,
)

VIEWS = {"scores": "Scores", "compare": "Compare", "answers": "Answers", "failed": "Failed"}


def draw(row: RunView, by: Principal) -> None:
    """The whole run."""
    st.button(
        "All experiments", key="experiment_back", icon=":material/arrow_back:", type="tertiary",
        on_click=experiment_list.closed,
    )  # fmt: skip
    st.title(hostile.sentence(row.name), anchor=False)
    _made_of(row)
    if row.state is State.RUNNING:
        _live(row.id, row.project_id, by)
    else:
        _standing(row, by)
    if not row.done and not row.failed:
        return
    _collect(row)
    views = dict(VIEWS)
    if len(row.arms) < 2 and not experiment_sides.others(row):
        views.pop("compare")
    if not row.failed:
        views.pop("failed")
    view = tabs.draw("view", views, label="View")
    if view == "scores":
        experiment_scores.draw(row)
        experiment_next.draw(row, by)
        return
    experiment_next.draw(row, by)  # before examples without end
    if view == "compare":
        experiment_beside.draw(row, by)
    else:
        experiment_cells.draw(row, by, only_failed=view == "failed")


def _made_of(row: RunView) -> None:
    try:
        dataset = reads.fresh(datasets.named, row.dataset_id, project_ids=(row.project_id,))
    except GreenroomError:
        dataset = "a dataset that is gone"
    split = f", split {row.split or 'none'}" if row.split is not None else ""
    often = f", {row.repeats} times each" if row.repeats > 1 else ""
    st.caption(f"{row.items} examples of {hostile.label(dataset)}, version {row.dataset_version}{split}{often}")
    for arm in row.arms:
        st.markdown(f"**{arm.letter}** {hostile.label(arm.label, longest=200)}")


@st.fragment(run_every=1)
def _live(run_id: int, project_id: int, by: Principal) -> None:
    """How far a run has come, without reloading; the page is drawn anew when it ends."""
    row = reads.fresh(queries.run, run_id, project_ids=(project_id,))
    _standing(row, by)
    if row.state is not State.RUNNING:
        st.rerun()


def _standing(row: RunView, by: Principal) -> None:
    ended = row.done + row.failed
    with st.container(border=True, key="experiment_standing", gap="small"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            experiment_list.badge(row)
            st.markdown(experiment_list.progress(row), width="content")
            if row.started_at is not None:
                moments.ago(row.started_at, clock.now())
        if row.state is not State.DONE:
            st.progress(ended / row.cells if row.cells else 0.0)
        if row.state is State.RUNNING and not row.left:
            _comparing(row)
        if row.why:
            told, icon = (st.info, "hourglass_top") if row.state is State.RUNNING else (st.warning, "pause_circle")
            told(hostile.sentence(row.why), icon=f":material/{icon}:")
        if not by.may(Permission.EXPERIMENT_RUN, row.project_id):
            return
        cap = _cap(row)
        with st.container(horizontal=True, gap="small"):
            if row.state is State.RUNNING:
                if st.button("Stop", key="experiment_stop", icon=":material/stop:") and acting.done(
                    actions.stop, run_id=row.id, by=by, at=clock.now()
                ):
                    acting.tell("Stopped. What was answered stays.", icon=":material/stop:")
            elif (
                row.left
                and st.button(
                    "Start" if row.state is State.READY else "Go on", key="experiment_go", type="primary",
                    icon=":material/play_arrow:", help="Asks what was not asked yet.",
                )
                and acting.done(actions.start, run_id=row.id, by=by, at=clock.now(), cap_usd=cap)
            ):  # fmt: skip
                runtime.current().runner.wake()
                acting.tell("It goes on.", icon=":material/play_arrow:")
            if (
                row.failed
                and row.state is not State.RUNNING
                and st.button(
                    f"Ask the {row.failed} that failed again", key="experiment_retry", icon=":material/refresh:"
                )
                and acting.done(actions.retry, run_id=row.id, by=by, at=clock.now())
            ):
                runtime.current().runner.wake()
                acting.tell("They are asked again.", icon=":material/refresh:")


def _cap(row: RunView) -> Decimal | None:
    """Up to what a run that stopped may cost, when it goes on: it would stop at once under a cap it has reached."""
    if row.state is not State.STOPPED or row.cap_usd is None or not row.left:
        return None
    offered = max(row.cap_usd, (2 * row.spent_usd).quantize(Decimal("0.01"), ROUND_UP))
    least = min(0.01, float(offered))  # a file can name less than a cent
    chosen = st.number_input(
        "Stop at (dollars)", least, 100_000.0, float(offered), step=least, format=f"%.{2 if least == 0.01 else 6}f",
        key=f"experiment_cap_{row.id}_{offered}", width=180,
    )  # fmt: skip
    return Decimal(str(chosen))


def _comparing(row: RunView) -> None:
    """What a run still does when every cell is asked: judges compare the variants with the first."""
    names = [str(scorer["name"]) for scorer in row.scorers if scorer["kind"] == "pairwise judge"]
    if names:
        pairs = row.items * row.repeats * (len(row.arms) - 1) * len(names)
        said = reads.fresh(queries.said, row.id, names, project_ids=(row.project_id,))
        st.caption(
            f"All are answered; now they are compared: {amounts.count(said)} of up to {amounts.count(pairs, 'pair')}."
        )


def _collect(row: RunView) -> None:
    """Take in what people have decided since."""
    for scorer in evals.parse(list(row.scorers)):
        if isinstance(scorer, Human):
            acting.do(people.collect, row, scorer)

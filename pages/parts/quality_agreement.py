"""Agreement on the page: in a sentence, per criterion, by week and by pair, and the answers people see differently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, time, timedelta
from typing import Any

import pandas as pd
import streamlit as st

from core import ids
from core.people import queries as people
from core.people.queries import ProjectView
from core.review import quality
from core.review.agreement import Pair, Scale
from core.review.quality import Agreement, Judgement
from core.review.tables import ReviewQueue
from core.statistics.proportions import Estimate
from pages.parts import actors, amounts, charts, hostile, moments, reads, review_desk, review_lists
from pages.parts.links import REVIEW

SHOWN = 50  # answers that two people see differently


def draw(judged: Sequence[Judgement], questions: Mapping[str, str], queue: ReviewQueue, project: ProjectView) -> None:
    """Everything that is about agreement."""
    criteria = quality.criteria(questions)
    rows = [quality.agree(judged, name, scale) for name, scale in criteria.items()]
    st.subheader("Do reviewers agree?", anchor=False)
    first = rows[0]
    st.markdown(f"**{quality.in_words(first)}**")
    if not first.items:
        st.caption(
            "Each answer of this queue is judged by one person. Ask for two people, for a part of the answers, under "
            "Routing and policies."
            if queue.reviewers == 1
            else "Nobody's verdict has met another's yet."
        )
        return
    with st.container(horizontal=True, gap="medium"):
        st.metric("Judged twice or more", amounts.count(first.items), width="content")
        st.metric("Say the same", _percent(first.percent), width="content")
        st.metric(
            "Beyond chance, α", _estimate(first.alpha), width="content",
            help="Krippendorff's α with its 95 % interval: 1 is perfect agreement, 0 is what chance would do.",
        )  # fmt: skip
        st.metric(
            "Gwet's AC1", _number(first.ac1), width="content",
            help="Agreement beyond chance that stays fair where one verdict is rare.",
        )  # fmt: skip
    if len(rows) > 1:
        _criteria(rows)
    _weeks(judged, criteria, project)


def _criteria(rows: Sequence[Agreement]) -> None:
    st.dataframe(
        pd.DataFrame(
            {
                "Criterion": [hostile.line(row.criterion) for row in rows],
                "Judged twice": [row.items for row in rows],
                "Say the same": [_percent(row.percent) for row in rows],
                "α": [_estimate(row.alpha) for row in rows],
                "AC1": [_number(row.ac1) for row in rows],
                "What it means": [quality.in_words(row) for row in rows],
            }
        ),
        hide_index=True,
        key="quality_criteria",
        alt=f"How far reviewers agree on {amounts.count(len(rows), 'criterion', plural='criteria')}.",
    )


def _weeks(judged: Sequence[Judgement], criteria: Mapping[str, Scale], project: ProjectView) -> None:
    names = list(criteria)
    chosen = names[0]
    if len(names) > 1:
        chosen = st.selectbox(
            "Criterion", names, key="quality_criterion", width=280, format_func=lambda name: hostile.line(name)
        )
    weekly = quality.weeks(judged, chosen, criteria[chosen], zone=moments.zone())
    if len(weekly) > 1:
        at = [datetime.combine(week.monday, time(), moments.zone()) for week in weekly]
        step = timedelta(days=7)
        values = [week.alpha for week in weekly]
        same = [week.percent for week in weekly]
        figure = charts.lines(
            at, [charts.Series("Beyond chance, α", values), charts.Series("Say the same", same)],
            unit="agreement", step=step, hover="%{y:.2f}",
        )  # fmt: skip
        known = [value for value in same if value is not None]
        told = charts.says(
            "Share of answers on which reviewers say the same, by week", at, same,
            {"peak": f"{max(known):.0%}" if known else "–"}, step,
        )  # fmt: skip
        charts.draw(figure, key="quality_weeks", alt=told)
    _pairs(judged, chosen, project)


def _pairs(judged: Sequence[Judgement], criterion: str, project: ProjectView) -> None:
    found = quality.pairs(judged, criterion)
    if not found:
        return
    st.subheader("Who agrees with whom", anchor=False)
    st.caption("Choose a pair to see the answers they judge differently. κ is Cohen's: agreement beyond chance.")
    who = sorted({name for pair in found for name in (pair.one, pair.two)})
    names = reads.fresh(people.names, who)
    shown = {one: hostile.line(actors.name(one, names)) for one in who}
    cells = {(pair.one, pair.two): pair for pair in found} | {(pair.two, pair.one): pair for pair in found}
    table = pd.DataFrame(
        {f"{n}": [_cell(cells.get((row, column))) for row in who] for n, column in enumerate(who)},
        index=[shown[one] for one in who],
    )
    picked = st.dataframe(
        table, key=f"quality_matrix_{criterion}", on_select="rerun", selection_mode="single-cell",
        alt=f"How far each two of {amounts.count(len(who), 'reviewer')} agree.",
        column_config={f"{n}": st.column_config.TextColumn(shown[column]) for n, column in enumerate(who)},
    )  # fmt: skip
    chosen = _chosen(picked, who)
    if chosen in cells:
        _differences(judged, criterion, *chosen, shown, project)


def _chosen(picked: Any, who: Sequence[str]) -> tuple[str, str]:
    """The two people of the cell that was chosen; ("", "") without one."""
    cells = picked["selection"]["cells"]
    if not cells:
        return "", ""
    row, column = cells[0]
    return who[row], who[int(column)] if str(column).isdecimal() else ""


def _differences(
    judged: Sequence[Judgement], criterion: str, one: str, two: str, shown: Mapping[str, str], project: ProjectView
) -> None:
    found = quality.differences(judged, criterion, one, two)
    first, second = hostile.sentence(shown[one]), hostile.sentence(shown[two])
    if not found:
        st.caption(f"{first} and {second} agree on every answer.")
        return
    st.markdown(f"{first} and {second} judge {amounts.count(len(found), 'answer')} differently.")
    asked = review_lists.questions([row.call_id for row in found[:SHOWN]], project)
    for row in found[:SHOWN]:
        with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="distribute", border=True):
            with st.container(gap=None, width="content"):
                st.markdown(f"{first}: **{_said(row.one)}** · {second}: **{_said(row.two)}**", width="content")
                review_lists.question(asked.get(row.call_id, ""))
            st.page_link(
                REVIEW, label="Open", icon=":material/open_in_full:",
                query_params={"show": "all", "item": ids.shown("item", row.item_id)},
            )  # fmt: skip
    if len(found) > SHOWN:
        st.caption(f"The newest {SHOWN} are shown.")


def _said(value: str) -> str:
    return review_desk.WORDS.get(value) or hostile.label(value)


def _cell(pair: Pair | None) -> str:
    if pair is None:
        return ""
    return f"{amounts.percent(pair.agreement)} of {pair.n}" + (
        f", κ {pair.kappa:.2f}" if pair.kappa is not None else ""
    )


def _percent(share: float | None) -> str:
    return "–" if share is None else amounts.percent(share)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _estimate(found: Estimate | None) -> str:
    return "–" if found is None else f"{found.value:.2f} ({found.low:.2f} to {found.high:.2f})"

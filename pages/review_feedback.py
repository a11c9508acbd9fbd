"""What readers said of answers: how many are unhappy and why; a reason goes to review, a better answer is kept."""

from __future__ import annotations

import streamlit as st

from core import clock
from core.calls import feedback_queries as queries
from pages.parts import access, choosing, feedback_groups, feedback_numbers, feedback_start, moments, reads, states

by = access.require("calls:read")
project = access.project()
now = clock.now()
mine = (project.id,)

st.title("Feedback", anchor=False)
if not reads.fresh(queries.is_any, project_ids=mine):
    feedback_start.draw(by, project)
    st.stop()

span = choosing.one("Period", feedback_numbers.PERIODS, key="feedback_span", default="30d")
length = feedback_numbers.SPANS[span]
said = reads.fresh(queries.summary, project_ids=mine, since=now - length, until=now)
if said.count or said.before:
    feedback_numbers.figures(said, beside=f"the {moments.span(length)} before")
    days = reads.fresh(queries.days, project_ids=mine, since=now - length, until=now, zone=moments.zone().key)
    feedback_numbers.chart(days, key=f"feedback_days_{span}")
if said.count:
    feedback_groups.draw(said, by=by, project_ids=mine, since=now - length, until=now)
else:
    states.empty(
        f"Nobody said anything in the last {moments.span(length)}.", "Choose a longer period to see what came before."
    )
feedback_start.folded(by, project)

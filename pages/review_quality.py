"""How well people review: agreement, known answers, haste and strictness; for leads."""

from __future__ import annotations

from datetime import timedelta

import streamlit as st

from core import clock
from core.review import judgements, quality, queries
from pages.parts import access, hostile, quality_agreement, quality_people, reads, states

PERIODS = {28: "4 weeks", 84: "12 weeks", 364: "a year"}

by = access.require("review:lead")
project = access.project()
now = clock.now()

st.title("Review quality", anchor=False)
queues = {row.id or 0: row for row in reads.fresh(queries.queues, project_ids=(project.id,))}
if not queues:
    states.empty(
        "There is no review queue yet.",
        "Once people decide on answers, this page says how far they agree.",
        button="Open a queue",
        page="review_policies.py",
        params={"show": "queues"},
    )
    st.stop()

with st.container(horizontal=True, vertical_alignment="bottom"):
    queue_id = st.selectbox(
        "Queue", list(queues), key="quality_queue", bind="query-params", width=280,
        format_func=lambda number: hostile.line(queues[number].name),
    )  # fmt: skip
    days = st.segmented_control(
        "The last", list(PERIODS), key="quality_days", format_func=PERIODS.__getitem__, required=True, default=28
    )

judged = reads.fresh(judgements.of_queue, queue_id=queue_id, since=now - timedelta(days=days), until=now)
if not judged:
    states.empty(
        f"Nobody decided on anything here in the last {PERIODS[days].removeprefix('a ')}.",
        "Verdicts of reviewers are compared here.",
        button="Review queue",
        page="review_queue.py",
    )
    st.stop()
if len(judged) == judgements.MOST:
    st.caption(f"The newest {judgements.MOST:,} verdicts of this time are looked at.")
asked = reads.fresh(judgements.questions, {one.rubric_id for one in judged})
apart, questions = quality.told_apart(judged, asked)
quality_agreement.draw(apart, questions, queues[queue_id], project)
quality_people.draw(judged, now)

"""Answers that wait for people: the queues, one answer at a time, and what was decided."""

from __future__ import annotations

import streamlit as st

from core.people.rules import Permission
from core.review.rules import Lane
from pages.parts import access, numbers, review_board, review_bulk, review_desk, review_focus, review_lists, tabs

by = access.require("calls:read")
project = access.project()

queue_id, lane = st.query_params.get(review_board.QUEUE, ""), st.query_params.get(review_board.LANE, Lane.REVIEW)
many, may_decide = st.query_params.get(review_desk.MANY, ""), by.may(Permission.REVIEW_DECIDE, project.id)
is_sample = bool(st.query_params.get(review_desk.SAMPLE))
if is_sample and not review_bulk.is_looking(by, project):
    review_desk.leave(by)
    queue_id = ""
if (number := numbers.read(queue_id)) is not None and lane in set(Lane) and may_decide:
    told = review_bulk.progress(by, project) if is_sample else ""
    review_focus.draw(by, project, number, Lane(lane), told=told)
    st.stop()
if (number := numbers.read(many)) is not None and may_decide and by.may(Permission.REVIEW_LEAD, project.id):
    review_bulk.draw(by, project, number)
    st.stop()

st.title("Review queue", anchor=False)
view = tabs.draw("show", {"queues": "Queues", "mine": "Decided by me", "all": "All verdicts"}, label="Show")
if view == "mine":
    review_lists.mine(by, project)
elif view == "all":
    review_lists.everything(by, project)
else:
    review_board.draw(by, project)

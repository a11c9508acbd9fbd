"""Which answers wait for people, and how: policies, the queues they lead to, what reviewers are asked."""

from __future__ import annotations

import streamlit as st

from core.people.rules import Permission
from core.review import queries
from pages.parts import access, policy_board, policy_queues, reads, tabs

by = access.require("calls:read")
project = access.project()
may_change = by.may(Permission.REVIEW_CHANGE, project.id)

st.title("Routing and policies", anchor=False)
view = tabs.draw("show", {"policies": "Policies", "queues": "Queues", "rubrics": "Rubrics"}, label="Show")
if view == "queues":
    policy_queues.draw(by, project, may_change=may_change)
elif view == "rubrics":
    policy_queues.rubric_board(by, project, may_change=may_change)
else:
    names = [row.name for row in reads.fresh(queries.queues, project_ids=(project.id,)) if row.is_open]
    policy_board.draw(by, project, names, may_change=may_change)

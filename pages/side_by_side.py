"""Two answers and no names: vote, and see whom people prefer, how surely, and what cannot be told yet."""

from __future__ import annotations

import streamlit as st

from core.errors import GreenroomError
from core.people.rules import Permission
from core.votes import queries
from pages.parts import access, acting, compare_list, compare_new, compare_one, numbers, reads

by = access.require("compare:read")
project = access.project()

chosen = st.query_params.get(compare_list.CHOSEN, "")
try:
    if (number := numbers.read(chosen)) is not None:
        compare_one.draw(reads.fresh(queries.comparison, number, project_ids=(project.id,)), by)
    elif chosen == compare_list.NEW and by.may(Permission.COMPARE_CHANGE, project.id):
        compare_new.draw(by, project)
    else:
        compare_list.draw(by, project)
except GreenroomError as error:
    acting.show(error)

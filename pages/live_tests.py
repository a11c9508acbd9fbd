"""Live tests: two versions beside each other on real traffic, and what may be said of them at any moment."""

from __future__ import annotations

import streamlit as st

from core.errors import GreenroomError
from core.people.rules import Permission
from core.trials import queries
from pages.parts import access, acting, reads, trial_detail, trial_form, trial_list

by = access.require("trial:read")
project = access.project()

chosen = st.query_params.get(trial_list.CHOSEN, "")
try:
    if chosen == trial_list.NEW and by.may(Permission.TRIAL_CHANGE, project.id):
        trial_form.draw(by, project)
    elif chosen.isdecimal():
        trial_detail.draw(reads.fresh(queries.trial, int(chosen[:9]), project_ids=[project.id]), by)
    else:
        trial_list.draw(by, project)
except GreenroomError as error:
    acting.show(error)

"""Experiments: a dataset asked of several variants, every answer scored, two of them compared."""

from __future__ import annotations

import streamlit as st

from core import ids
from core.errors import GreenroomError, NotFound
from core.experiments import queries
from pages.parts import access, acting, experiment_detail, experiment_list, experiment_new, reads

by = access.require("experiment:read")
project = access.project()

chosen = st.query_params.get(experiment_list.CHOSEN, "")
try:
    if chosen == experiment_list.NEW:
        experiment_new.draw(by, project)
    elif chosen:
        number = ids.read("exp", chosen)
        if number is None:
            raise NotFound("There is no such run.", hint="Its link was cut short. Look for it in the list.")
        experiment_detail.draw(reads.fresh(queries.run, number, project_ids=(project.id,)), by)
    else:
        experiment_list.draw(by, project)
except GreenroomError as error:
    acting.show(error)

"""Prompts: what models are told, in versions that never change and labels that move among them."""

from __future__ import annotations

import streamlit as st

from core.errors import GreenroomError
from core.prompts import queries
from pages.parts import access, acting, prompt_detail, prompt_list, reads

by = access.require("prompt:read")
project = access.project()

chosen = st.query_params.get(prompt_list.CHOSEN, "")
try:
    if chosen:
        prompt_detail.draw(reads.fresh(queries.named, chosen, project_id=project.id), by)
    else:
        prompt_list.draw(by, project)
except GreenroomError as error:
    acting.show(error)

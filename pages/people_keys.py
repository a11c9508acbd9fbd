"""Who gets in: keys for applications, people with their roles, and the projects both work in."""

from __future__ import annotations

import streamlit as st

from core.people.rules import Permission
from pages.parts import access, key_board, people_board, project_board, tabs

by = access.require("key:read")
project = access.project()

VIEWS = {
    "keys": ":material/key: Keys",
    "people": ":material/group: People",
    "projects": ":material/folder_open: Projects",
}
if not by.may(Permission.PEOPLE_READ, project.id):
    del VIEWS["people"]

st.title("People and keys", anchor=False)
view = tabs.draw("view", VIEWS, label="Show")

if view == "people":
    people_board.draw(by, project)
elif view == "projects":
    project_board.draw(by, project)
else:
    key_board.draw(by, project)

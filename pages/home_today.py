"""Where one begins: the first three steps, then today's numbers and what needs a person."""

from __future__ import annotations

import streamlit as st

from core import clock
from core.people.rules import Permission
from pages.parts import access, home_numbers, home_steps

reader = access.require("usage:read")
project = access.project()
now = clock.now()
mine = (project.id,)
may_open = reader.may(Permission.CALLS_READ, project.id)

st.title("Home", anchor=False)
so_far = home_steps.done(mine)
if not so_far.all:
    home_steps.draw(so_far, reader, project)
home_numbers.draw(mine, now, may_open=may_open)
home_numbers.attention(mine, now, may_open=may_open)
if so_far.all:
    st.subheader("Another application", anchor=False)
    home_steps.snippet(reader, project)

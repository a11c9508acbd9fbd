"""Who did what and when, newest first, and whether the trail is whole."""

from __future__ import annotations

import streamlit as st

from core import clock
from core.audit import queries
from core.datasets import queries as datasets
from core.people import queries as people
from core.people.rules import Permission
from pages.parts import access, audit_check, audit_filters, audit_pages, audit_row, hostile, reads, states

PAGE = 50

reader = access.require("audit:read")
project = access.project()
sees_all = reader.may(Permission.AUDIT_READ)
within = None if sees_all else project.id

with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="bottom"):
    st.title("Audit", anchor=False, width="content")
    is_asked = sees_all and audit_check.button()
if is_asked:
    audit_check.draw()
if not sees_all:
    st.caption(f"What happened in {hostile.label(project.name)}. An auditor of all projects sees the whole trail.")

known_actors = reads.fresh(queries.actors, project_id=within)
known_actions = reads.fresh(queries.kinds, project_id=within)
audit_filters.draw(known_actors, known_actions, reads.fresh(people.names, known_actors), you=reader.actor)
before = audit_filters.before()
events = reads.fresh(
    queries.events,
    before_number=before,
    limit=PAGE + 1,
    actor=audit_filters.chosen(audit_filters.ACTOR) or None,
    action=audit_filters.chosen(audit_filters.ACTION) or None,
    project_id=within,
)
shown, more = events[:PAGE], len(events) > PAGE
marks = {mark for event in shown for mark in (event.actor, event.target, f"project:{event.project_id}")}
names = reads.fresh(people.names, marks | {f"project:{event_project}" for event_project in audit_row.projects(shown)})
names |= reads.fresh(datasets.names, marks)

if not shown:
    states.empty("Nothing of that kind happened.", "Choose somebody else, or everything.", icon=":material/history:")
now = clock.now()
for event in shown:
    audit_row.draw(event, names, now, you=reader.actor)
audit_pages.draw(shown, before=before, has_more=more)

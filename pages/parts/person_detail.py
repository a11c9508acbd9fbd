"""One person opened: their roles with who gave them, one more role, and the switch for their access."""

from __future__ import annotations

import streamlit as st

from core import clock
from core.people import actions, queries
from core.people.actions import CLAIM
from core.people.queries import GrantView, PersonView, ProjectView
from core.people.rules import Permission, Principal, Role
from pages.parts import access, acting, actors, hostile, moments, reads

EVERYWHERE = "All projects"
SAYS = {
    Role.VIEWER: "sees usage, cost and which models there are",
    Role.REVIEWER: "also tries prompts, reads calls and comments on answers",
    Role.LEAD_REVIEWER: "also takes calls away as files",
    Role.PRODUCT_MANAGER: "also decides what an alias means and what a model costs",
    Role.ENGINEER: "also connects backends and makes keys",
    Role.ADMIN: "does everything, and says who may do what",
    Role.AUDITOR: "reads everything, the audit trail included, and changes nothing",
}


def draw(person: PersonView, roles: list[GrantView], by: Principal, project: ProjectView) -> None:
    """What the person may do and why, and what may be changed about it."""
    names = reads.fresh(queries.names, {grant.granted_by for grant in roles})
    for grant in roles:
        _role(grant, names, by)
    if not roles:
        st.caption("No role: this person can sign in and sees nothing.")
    _one_more(person, roles, by, project)
    if by.may(Permission.PEOPLE_CHANGE):
        _switch(person, by)


def _role(grant: GrantView, names: dict[str, str], by: Principal) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        where = f"in {hostile.label(grant.project)}" if grant.project else "in all projects"
        st.markdown(f"**{str(grant.role).capitalize()}** {where}", width="content", help=f"Who {SAYS[grant.role]}.")
        if grant.source == CLAIM:
            st.caption("by the identity provider's groups", width="content")
        else:
            giver = "you" if grant.granted_by == by.actor else actors.name(grant.granted_by, names)
            when = moments.relative(grant.granted_at, clock.now())
            st.caption(f"by {hostile.sentence(giver)}, {when}", width="content", help=moments.exact(grant.granted_at))
            if by.may(Permission.PEOPLE_CHANGE, grant.project_id) and st.button(
                "Take away", key=f"grant_end_{grant.id}", icon=":material/close:", type="tertiary"
            ):
                taken = acting.done(actions.revoke_grant, grant_id=grant.id, by=by, at=clock.now())
                _after(taken, f"{grant.role} was taken away; it counts from their next click.")


def _one_more(person: PersonView, roles: list[GrantView], by: Principal, project: ProjectView) -> None:
    places = {there.name: there.id for there in access.projects() if by.may(Permission.PEOPLE_CHANGE, there.id)}
    names = [*([EVERYWHERE] if by.may(Permission.PEOPLE_CHANGE) else []), *places]
    if not names:
        return
    offered: list[Role] = list(Role)
    with (
        st.form(f"grant_form_{person.id}_{len(roles)}", border=False),
        st.container(horizontal=True, vertical_alignment="bottom"),
    ):
        role = st.selectbox(
            "One more role",
            offered,
            key=f"grant_role_{person.id}_{len(roles)}",
            format_func=lambda role: f"{str(role).capitalize()}: {SAYS[role]}",
        )
        where = st.selectbox(
            "In",
            names,
            index=names.index(project.name) if project.name in names else 0,
            key=f"grant_where_{person.id}_{len(roles)}",
            width=220,
        )
        given = st.form_submit_button(
            "Give role", key=f"grant_give_{person.id}_{len(roles)}", icon=":material/add:", type="primary"
        )
    if given and role is not None:
        there = None if where == EVERYWHERE else places[where]
        done = acting.done(actions.grant, person_id=person.id, role=role, project_id=there, by=by, at=clock.now())
        _after(done, f"{hostile.sentence(person.shown)} is {role} now.")


def _switch(person: PersonView, by: Principal) -> None:
    if person.is_active:
        label, icon, says = "Switch off access", ":material/block:", "is switched off from the next click on"
    else:
        label, icon, says = "Switch on access", ":material/check:", "may sign in again"
    hint = "They keep their roles, and cannot come in until somebody switches them on again."
    if st.button(label, key=f"person_switch_{person.id}", icon=icon, help=hint if person.is_active else None):
        done = acting.done(
            actions.set_active, person_id=person.id, is_active=not person.is_active, by=by, at=clock.now()
        )
        _after(done, f"{hostile.sentence(person.shown)} {says}.")


def _after(is_done: bool, says: str) -> None:
    if is_done:
        acting.tell(says)

"""The people: who signed in, what they may do, who is switched off."""

from __future__ import annotations

from collections import defaultdict

import streamlit as st

from core import clock, settings
from core.people import queries
from core.people.queries import GrantView, PersonView, ProjectView
from core.people.rules import Principal
from pages.parts import amounts, choosing, hostile, moments, person_detail, reads, states

OPENED = "person"


def draw(by: Principal, project: ProjectView) -> None:
    """Everyone, last seen first; the one named in the address bar is opened."""
    persons = reads.fresh(queries.persons)
    if not persons:
        _nobody()
        return
    roles: dict[int, list[GrantView]] = defaultdict(list)
    for grant in reads.fresh(queries.grants):
        roles[grant.person_id].append(grant)
    st.caption(
        "Whoever signs in appears here, and sees nothing until they have a role. A role counts in one project or in "
        "all of them."
    )
    words = st.text_input(
        "Find",
        key="people_find",
        placeholder="Name, e-mail or role",
        label_visibility="collapsed",
        icon=":material/search:",
        bind="query-params",
    )
    found = [person for person in persons if _matches(person, roles[person.id], words)]
    if not found:
        states.empty("Nobody is called that.", "Try a part of the name or address.", icon=":material/search_off:")
    opened = st.query_params.get(OPENED, "")
    for person in found:
        with st.container(border=True):
            _summary(person, roles[person.id], by)
            if str(person.id) == opened:
                person_detail.draw(person, roles[person.id], by, project)
    shown = amounts.count(len(found), "person", plural="people")
    st.caption(shown if len(found) == len(persons) else f"{shown} of {len(persons)}")


def _nobody() -> None:
    if settings.login_configured():
        states.empty(
            "Nobody has signed in yet.", "People appear here with their first sign-in.", icon=":material/group_off:"
        )
    else:
        states.empty(
            "It is only you, on this computer.",
            "Configure login with your identity provider to let others in: copy .streamlit/secrets.example.toml to "
            "secrets.toml and fill in [auth].",
            icon=":material/computer:",
        )


def _matches(person: PersonView, roles: list[GrantView], words: str) -> bool:
    text = " ".join([person.name, person.email, *(str(grant.role) for grant in roles)]).casefold()
    return all(word in text for word in words.casefold().split())


def _summary(person: PersonView, roles: list[GrantView], by: Principal) -> None:
    about, tools = st.columns([4, 1], vertical_alignment="center")
    with about, st.container(gap=None):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{hostile.sentence(person.shown)}**", width="content")
            if person.id == by.person_id:
                st.badge("you", color="green")
            if not person.is_active:
                st.badge("switched off", color="red", icon=":material/block:")
            if not roles:
                st.badge("no role yet", color="orange")
            for text in _places(roles):
                st.badge(text, color="gray")
        facts = [hostile.sentence(person.email)] if person.email else []
        facts.append(f"signed in {moments.relative(person.seen_at, clock.now())}")
        st.caption(" · ".join(facts), help=moments.exact(person.seen_at))
    with tools, st.container(horizontal=True, horizontal_alignment="right"):
        choosing.open_or_close(OPENED, str(person.id), key=f"person_open_{person.id}")


def _places(roles: list[GrantView]) -> list[str]:
    """`admin`, `reviewer in support-bot`: the first four, and how many more."""
    found = [f"{grant.role} in {grant.project}" if grant.project else str(grant.role) for grant in roles]
    found = list(dict.fromkeys(found))
    return found if len(found) <= 4 else [*found[:4], f"and {len(found) - 4} more"]

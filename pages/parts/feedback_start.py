"""How an application tells what its readers thought: to paste as it stands."""

from __future__ import annotations

import streamlit as st

from core.calls import queries
from core.people.queries import ProjectView
from core.people.rules import Permission, Principal
from pages.parts import reads, snippets, states

_PLACEHOLDER = "call_…"


def draw(by: Principal, project: ProjectView) -> None:
    """Nobody said anything yet: what would change that."""
    may_make = by.may(Permission.KEY_CHANGE, project.id)
    states.empty(
        "No reader has said anything yet.",
        "Put a thumb up and a thumb down beside your application's answers, and send what is pressed here.",
        button="Make a key for your application" if may_make else "",
        page="people_keys.py" if may_make else "",
        icon=":material/thumbs_up_down:",
    )
    _snippet(project)


def folded(by: Principal, project: ProjectView) -> None:
    """The same, out of the way."""
    with st.expander("How an application sends feedback", icon=":material/code:"):
        _snippet(project)
        if by.may(Permission.KEY_READ, project.id):
            st.caption("Keys are under People and keys.")


def _snippet(project: ProjectView) -> None:
    shape = st.segmented_control(
        "As", ["curl", "Python"], key="feedback_shape", default="curl", label_visibility="collapsed", required=True
    )
    if shape == "Python":
        st.code(snippets.feedback_python(address=snippets.base_url()), language=None)
    else:
        newest = reads.fresh(queries.recent, project_ids=(project.id,), limit=1)
        call = newest[0].shown_id if newest else _PLACEHOLDER
        st.code(snippets.feedback_curl(call, address=snippets.base_url()), language=None)
    st.caption(
        f"`id` is the answer's own id or its `Greenroom-Call-Id` header. `thumb` is up or down; or a `rating` from "
        f"1 to 5. The rest is optional. `{snippets.KEY_VARIABLE}` is a key of this project."
    )

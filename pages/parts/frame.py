"""What stands around every page: the logo, the navigation of what one may open, the project, who is signed in."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.navigation.page import Page

from core import settings
from core.errors import GreenroomError, NotAllowed
from core.people import queries
from core.people.rules import Principal
from pages.parts import access, reads, signing


def closed(trouble: GreenroomError) -> list[Page]:
    """Every address, each leading to the page that says why one may not come in; so a deep link survives the login."""

    def refused() -> None:
        signing.page(trouble)

    return [
        st.Page(refused, title="Greenroom", url_path=row.url_path, default=not row.url_path) for row in access.PAGES
    ]


def sections(who: Principal) -> dict[str, list[Page]]:
    """The navigation. What this person may not open is hidden, yet there: a deep link to it gets a sentence."""
    found: dict[str, list[Page]] = {}
    for row in access.PAGES:
        shown = st.Page(
            access.FOLDER / row.file,
            title=row.title,
            icon=row.icon,
            url_path=row.url_path,
            default=not row.url_path,
            visibility="visible" if who.may_somewhere(row.permission) else "hidden",
            help=row.help,
        )
        found.setdefault(row.section, []).append(shown)
    return found


def check(who: Principal, page: Page) -> None:
    """Raises: NotAllowed for a page that none of this person's roles opens (the page asks again, for the project)."""
    row = next(row for row in access.PAGES if row.title == page.title)
    if not who.may_somewhere(row.permission):
        raise NotAllowed(
            "Your roles do not open this page.", hint="Choose another page, or ask an admin for a role that does."
        )


def without_a_role(who: Principal) -> GreenroomError:
    """What a person hears whom the identity provider knows and Greenroom gives no role."""
    return NotAllowed(
        f"You are signed in as {who.name}, and have no role here yet.",
        hint="Ask an admin of Greenroom for one, then try again. The first admin is named in GREENROOM_ADMINS.",
    )


def look(assets: Path) -> None:
    """The mark, in the colours of the reader's theme, and what a theme has no word for."""
    is_dark = st.context.theme.type == "dark"
    st.logo(assets / ("logo_dark.svg" if is_dark else "logo_light.svg"), size="large", icon_image=assets / "mark.svg")
    st.html(assets / "console.css")


def sidebar(who: Principal) -> None:
    """The project, where there are several; who is here; the way out."""
    with st.sidebar:
        _project_picker()
        _account(who)


def _project_picker() -> None:
    mine = access.projects()
    if len(mine) < 2 and access.PROJECT not in st.query_params:
        return
    names = [project.name for project in mine]
    try:
        here = access.project_or_error()
        index = names.index(here.name)
    except GreenroomError:
        index = None
    # a key of its own for each project, so that the URL, when it changes, wins over what was chosen before
    chosen = st.selectbox(
        "Project",
        names,
        index=index,
        key=f"shell_project_{'' if index is None else names[index]}",
        placeholder="Choose a project",
        help="Pages show one project at a time; backends and people are shared.",
    )
    if chosen is None:
        return
    st.session_state[access.PROJECT] = chosen
    if index is None or chosen != names[index]:
        st.query_params[access.PROJECT] = chosen
        st.rerun()
    if access.PROJECT not in st.query_params:
        st.query_params[access.PROJECT] = chosen


def _account(who: Principal) -> None:
    if who.person_id is None:
        st.caption(":material/computer: This computer only, no login. README.md says how to let others in.")
        return
    person = reads.fresh(queries.person, who.person_id)
    with st.popover(who.name, icon=":material/account_circle:", width="stretch"):
        st.text(person.email if person and person.email else who.name)
        roles = sorted({str(role) for held in who.grants.values() for role in held})
        st.caption(f"Your roles: {', '.join(roles)}.")
        st.caption(f"You stay signed in for {settings.load().sign_in_hours} hours.")
        if st.button("Sign out", key="shell_sign_out", icon=":material/logout:", width="stretch"):
            st.logout()

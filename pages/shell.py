"""The console's script: who is here, what they may open, where they work; then the page they asked for."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from core import settings
from core.errors import GreenroomError
from core.people.rules import Principal
from pages.parts import access, acting, frame, signing, typed

ASSETS = Path(__file__).parent / "assets"
SIDEBAR_WIDTH = 264
"""Pixels: the longest name in the navigation; the rest is the page's. On a phone it begins closed."""


def who_is_here() -> Principal | GreenroomError:
    """Somebody with a role, or why nobody comes in."""
    if not settings.login_configured():
        return access.principal()
    try:
        here = signing.principal()
    except GreenroomError as error:
        return error
    return here if any(here.grants.values()) else frame.without_a_role(here)


# before the navigation: else the browser asks an outside font server for each page's icon as its favicon
st.set_page_config(
    page_title="Greenroom",
    page_icon=ASSETS / "favicon.png",
    layout="wide",
    initial_sidebar_state=SIDEBAR_WIDTH,
)
who = who_is_here()
if isinstance(who, GreenroomError):
    page = st.navigation(frame.closed(who), position="hidden")
    frame.look(ASSETS)
    page.run()
    st.stop()

page = st.navigation(frame.sections(who), position="sidebar", expanded=True)
st.set_page_config(page_title=f"{page.title} · Greenroom")
frame.look(ASSETS)
frame.sidebar(who)
typed.follow()
try:
    frame.check(who, page)
    acting.told()
    page.run()
except GreenroomError as error:
    acting.show(error)

"""Where errors end: one that Greenroom means is a sentence, any other a calm one with a number to report."""

from __future__ import annotations

import logging
import secrets

import streamlit as st

from core.db import trouble
from core.errors import GreenroomError
from pages.parts import acting

log = logging.getLogger("greenroom.console")


def on_script_error(error: Exception) -> bool:
    """Streamlit's hook for what a page did not catch, fragments and callbacks included; True: shown here."""
    known = error if isinstance(error, GreenroomError) else trouble.away(error)
    if known is not None:
        if known is not error:
            log.warning("a page could not be read: %s", known.message)
        acting.show(known)
        return True
    number = f"err_{secrets.token_hex(4)}"
    log.error("%s: a page failed", number, exc_info=error)
    st.error(
        f"It was logged as `{number}`. Reload the page; if it happens again, give this number to your operator.",
        title="Something went wrong on this page.",
        icon=":material/error:",
    )
    return True

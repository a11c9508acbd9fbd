"""Pages act through here: one verb in one transaction; a refusal becomes a sentence on the page."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Concatenate, NoReturn, ParamSpec, TypeVar

import streamlit as st
from sqlmodel import Session

from core import runtime
from core.db import trouble
from core.errors import GreenroomError, NotAllowed
from core.people import queries
from core.people.rules import Principal
from pages.parts import hostile

_TOLD = "acting_told"
log = logging.getLogger("greenroom.console")

P = ParamSpec("P")
T = TypeVar("T")


def attempt(action: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run an action; its value. Caches hear of the change at once. Raises: GreenroomError, why not; StoreUnavailable
    where the store is away, full or locked.

    Whoever acts is read again first: a part of a page that is left open keeps no right that was taken away.
    """
    try:
        with runtime.current().db.write() as session:
            if isinstance(by := kwargs.get("by"), Principal):
                kwargs["by"] = _as_of_now(session, by)  # ty: ignore[invalid-assignment]
            value = action(session, *args, **kwargs)
    except Exception as error:
        if isinstance(error, GreenroomError) or (known := trouble.away(error)) is None:
            raise
        log.warning("a page could not write: %s", known.message)
        raise known from error
    runtime.current().refresh()
    return value


def do(action: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """Attempt an action; its value, or None after showing why not."""
    try:
        return attempt(action, *args, **kwargs)
    except GreenroomError as error:
        show(error)
    return None


def done(action: Callable[Concatenate[Session, P], object], *args: P.args, **kwargs: P.kwargs) -> bool:
    """Run an action whose value nobody needs; whether it was done, after showing why not."""

    def told(session: Session, /, *args: P.args, **kwargs: P.kwargs) -> bool:
        action(session, *args, **kwargs)
        return True

    return do(told, *args, **kwargs) is not None


def tell(words: str, *, icon: str = ":material/check:") -> NoReturn:
    """Draw the page anew, and say in passing what was done. (A toast of the run that ends here would never be seen.)"""
    later(words, icon=icon)
    st.rerun()


def later(words: str, *, icon: str = ":material/check:") -> None:
    """What the next page that is drawn says in passing."""
    st.session_state[_TOLD] = (words, icon)


def told() -> None:
    """What the last run had to say; the shell asks before each page."""
    if _TOLD in st.session_state:
        words, icon = st.session_state.pop(_TOLD)
        st.toast(words, icon=icon)


def _as_of_now(session: Session, by: Principal) -> Principal:
    if by.person_id is None:
        return by
    found = queries.principal(session, by.person_id)
    if found is None:
        raise NotAllowed("Your access was switched off.", hint="Ask an admin if this is a mistake.")
    return found


def show(error: GreenroomError) -> None:
    """An error as people see it: what happened, then the next step."""
    st.error(
        hostile.sentence(error.hint) or "Nothing was changed.",
        title=hostile.sentence(error.message),
        icon=":material/error:",
    )

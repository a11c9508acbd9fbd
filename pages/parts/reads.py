"""Pages read through here: a query, its arguments, a session for just that long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Concatenate, ParamSpec, TypeVar

from sqlmodel import Session

from core import runtime

P = ParamSpec("P")
T = TypeVar("T")


def fresh(query: Callable[Concatenate[Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The answer of a query as the store has it now."""
    with runtime.current().db.read() as session:
        return query(session, *args, **kwargs)

"""A database's own errors as sentences, without the database's address, which carries a password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from core.db.engine import sqlite_module
from core.errors import StoreUnavailable


def of(error: BaseException) -> StoreUnavailable | None:
    """The sentence for an error that says the store cannot be used; None for any other error."""
    if not isinstance(error, DBAPIError | sqlite_module().Error | OSError) or isinstance(error, BrokenPipeError):
        return None
    reason = str(getattr(error, "orig", None) or error).strip().split("\n")[0].rstrip(".")
    return StoreUnavailable(f"The store cannot be used: {reason}.", hint="`greenroom doctor` looks closer.")


@contextmanager
def told() -> Iterator[None]:
    """Turn such errors into their sentence. Raises: StoreUnavailable."""
    try:
        yield
    except Exception as error:
        if (trouble := of(error)) is None:
            raise
        raise trouble from None

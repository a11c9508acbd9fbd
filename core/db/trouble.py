"""A database's own errors as sentences, without the database's address, which carries a password."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError

from core.db.engine import sqlite_module
from core.errors import StoreUnavailable


def of(error: BaseException) -> StoreUnavailable | None:
    """The sentence for a database's error; None for any other."""
    return _sentence(error) if isinstance(error, DBAPIError | sqlite_module().Error) else None


def away(error: BaseException) -> StoreUnavailable | None:
    """The sentence for a store that is away, full or locked; None for any other error, a mistake of ours too."""
    return _sentence(error) if isinstance(error, OperationalError) else None


@contextmanager
def told() -> Iterator[None]:
    """Turn such errors, and the file system's while a store is opened, into their sentence.

    Raises: StoreUnavailable.
    """
    try:
        yield
    except Exception as error:
        is_file = isinstance(error, OSError) and not isinstance(error, BrokenPipeError)
        trouble = _sentence(error) if is_file else of(error)
        if trouble is None:
            raise
        raise trouble from None


def _sentence(error: BaseException) -> StoreUnavailable:
    reason = str(getattr(error, "orig", None) or error).strip().split("\n")[0].rstrip(".")
    return StoreUnavailable(f"The store cannot be used: {reason}.", hint="`greenroom doctor` looks closer.")

"""What a driver's error means for a call that should be recorded: try again, try one by one, or tell the caller."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError

from core.db.engine import Database
from core.errors import GreenroomError

_FULL = ("database or disk is full", "no space left on device", "disk quota exceeded", "could not extend file")
_BUSY = ("database is locked", "database table is locked", "database is busy")
_STORE = (*_FULL, *_BUSY, "disk i/o error", "unable to open", "readonly database", "read-only", "is not a database")


def _says(error: BaseException, words: tuple[str, ...]) -> bool:
    text = str(error).lower()
    return any(word in text for word in words)


def _driver_error(error: BaseException) -> BaseException:
    """The driver's own error, also where the pool met it while opening a connection."""
    return error.orig if isinstance(error, DBAPIError) and error.orig is not None else error


def is_lost(error: BaseException, db: Database) -> bool:
    """Whether the connection to the server broke, so that nobody knows what was committed."""
    error = _driver_error(error)
    driver = db.writer.dialect.loaded_dbapi
    if db.is_sqlite:
        return False
    if isinstance(error, driver.InterfaceError):
        return True
    state = getattr(error, "sqlstate", None)
    return isinstance(error, driver.OperationalError) and (state is None or state.startswith(("08", "57P")))


def may_pass(error: BaseException, db: Database) -> bool:
    """Whether the same batch can succeed when tried again at once."""
    error = _driver_error(error)
    if db.is_sqlite:
        return _says(error, (*_BUSY, "unique constraint"))
    state = getattr(error, "sqlstate", None) or ""
    # 23505: the rows are there already, from a try whose answer was lost; 40…: chosen to give way
    return is_lost(error, db) or state == "23505" or state.startswith("40")


def is_about_contents(error: BaseException, db: Database) -> bool:
    """Whether one call of the batch is to blame, not the store."""
    error = _driver_error(error)
    if isinstance(error, GreenroomError) or not isinstance(error, Exception):
        return False
    state = getattr(error, "sqlstate", None) or ""
    return not (_says(error, _STORE) or is_lost(error, db) or state.startswith(("40", "53", "55", "58")))


def told(error: BaseException, db: Database) -> GreenroomError:
    """The sentence for the caller whose call was not written."""
    error = _driver_error(error)
    if isinstance(error, GreenroomError):
        return error
    state = getattr(error, "sqlstate", None) or ""
    if _says(error, _FULL) or state == "53100":
        return _error("the disk is full", "store_full", "Free some space; the next call is recorded again.")
    if _says(error, _BUSY) or state == "55P03":
        return _error("another program keeps the database locked", "store_busy", "Close it, or wait until it is done.")
    if _says(error, _STORE) or is_lost(error, db) or state.startswith(("53", "58")):
        return _error(
            f"the database cannot be reached ({_line(error)})", "store_unavailable", "`greenroom doctor` says more."
        )
    return _error(f"the database refused it ({_line(error)})", "record_refused", "Please report this call.")


def closed() -> GreenroomError:
    """Greenroom is stopping."""
    return _error("Greenroom is stopping", "store_closed", "Send it again in a moment.")


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


def _error(why: str, code: str, hint: str) -> GreenroomError:
    return GreenroomError(f"The call could not be recorded: {why}.", code=code, hint=hint)

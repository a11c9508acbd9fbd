"""builtin/rules' table where people edit it: read again when its file changed, while the server runs."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path

from core import settings
from core.builtin import rules
from core.builtin.request import Request
from core.builtin.rules import Table
from core.errors import BackendUnavailable, Invalid

SHIPPED = settings.ROOT / "data" / "builtin" / "rules.toml"
_log = logging.getLogger("greenroom.builtin")


def load(file: Path) -> Table:
    """The table in `file`. Raises Invalid with a sentence that names the rule and the field."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{file.name} cannot be read: {error}.", code="bad_rules") from error
    return rules.parse(text, name=file.name)


@dataclass(frozen=True, slots=True)
class _Read:
    stamp: tuple[Path, int, int]
    table: Table | None
    trouble: str


_lock = threading.Lock()
_last: _Read | None = None


def current() -> Table:
    """The table as it stands now, read again when its file changed; a broken edit keeps the one before."""
    global _last
    own = settings.load().data_dir / "builtin" / "rules.toml"
    file = own if own.is_file() else SHIPPED
    with _lock:
        try:
            seen = file.stat()
            stamp = (file, seen.st_mtime_ns, seen.st_size)
        except OSError:
            stamp = (file, 0, 0)
        if _last is None or _last.stamp != stamp:
            try:
                _last = _Read(stamp, load(file), "")
            except Invalid as error:
                _log.warning("The rules table was not taken over: %s", error)
                _last = _Read(stamp, _last.table if _last else None, str(error))
        if _last.table is None:
            raise BackendUnavailable(
                f"builtin/rules has no usable table: {_last.trouble}", hint="Mend the file and ask again."
            )
        return _last.table


def reply(request: Request) -> str:
    """The answer to what was said last."""
    return current().answer(request.question)

"""Every table there is, imported once so that the migrations see them all."""

from __future__ import annotations

from sqlmodel import SQLModel

from core.audit import tables as _audit
from core.calls import tables as _calls
from core.catalog import tables as _catalog
from core.db import marks as _marks
from core.db import process as _process
from core.people import tables as _people

__all__ = ["METADATA"]

METADATA = SQLModel.metadata
_MODULES = (_audit, _calls, _catalog, _marks, _process, _people)

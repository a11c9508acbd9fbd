"""Every table there is, imported once so that the migrations see them all."""

from __future__ import annotations

from sqlmodel import SQLModel

from core.audit import tables as _audit
from core.calls import tables as _calls
from core.catalog import tables as _catalog
from core.datasets import tables as _datasets
from core.db import marks as _marks
from core.db import process as _process
from core.experiments import tables as _experiments
from core.guard import tables as _guard
from core.people import tables as _people
from core.prompts import tables as _prompts
from core.review import tables as _review
from core.trials import tables as _trials
from core.votes import tables as _votes
from core.webhooks import tables as _webhooks

__all__ = ["METADATA"]

METADATA = SQLModel.metadata
_MODULES = (
    _audit,
    _calls,
    _catalog,
    _datasets,
    _experiments,
    _guard,
    _marks,
    _process,
    _people,
    _prompts,
    _review,
    _votes,
    _trials,
    _webhooks,
)

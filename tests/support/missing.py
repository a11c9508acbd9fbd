"""What to do on a machine that lacks something a test needs."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def lacking(reason: str) -> NoReturn:
    """Skip with the reason; fail instead where everything must run."""
    if os.environ.get("CI"):
        pytest.fail(f"skipped under CI: {reason}")
    pytest.skip(reason)

"""Fixtures of the page tests: a Greenroom of the test's own, and the browser, for what only a browser can show."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from streamlit.components.v2 import manifest_scanner

from core.runtime import Runtime
from tests.pages import signed_in


@pytest.fixture(scope="session", autouse=True)
def scanned_once() -> Iterator[None]:
    """Streamlit reads the metadata of every installed package when it starts, and its `AppTest` at each opening."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manifest_scanner, "scan_component_manifests", cache(manifest_scanner.scan_component_manifests))
        yield


@pytest.fixture
def here(store_url: str, tmp_path: Path) -> Iterator[Runtime]:
    """One person on this computer, no login; the test runs once per database."""
    with signed_in.greenroom(tmp_path / "data", store_url, secrets="") as runtime:
        yield runtime

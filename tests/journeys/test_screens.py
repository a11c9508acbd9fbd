"""Every page in light and dark, wide and narrow: it opens, stays inside this machine, says no error, fits its width.

The pictures land in `tests/screenshots/`: a person looks at them.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from core import clock, ids
from core.db.engine import Database
from core.schema import migrate
from tests.bench import million
from tests.journeys import screens
from tests.support.browser import ROOT, serving

CALLS = 1_500


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A data folder with a month of calls until now, and the newest call."""
    folder = tmp_path_factory.mktemp("screens")
    db = Database(f"sqlite:///{folder / 'greenroom.db'}")
    migrate.upgrade(db)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(million, "END", clock.now() - timedelta(minutes=2))
        million.fill(db, CALLS)
    with db.read() as session:
        newest = session.connection().exec_driver_sql("SELECT max(id) FROM call").scalar_one()
    db.close()
    return folder, newest


@pytest.fixture(scope="module")
def console(filled: tuple[Path, int], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    log = tmp_path_factory.mktemp("log") / "server.log"
    folder = {"GREENROOM_DATA_DIR": str(filled[0]), "GREENROOM_PROBE_LOCAL": "false"}
    with serving(ROOT / "app.py", log, **folder) as url:
        yield url


@pytest.mark.browser
def test_every_page_opens_in_both_themes_and_widths(chromium: Browser, console: str, filled: tuple[Path, int]) -> None:
    call = ids.shown("call", filled[1])
    more = {"call": f"calls?call={call}", "conversation": "calls?conversation=s0000001"}
    for shot, window in screens.take(chromium, screens.addresses(console, more)):
        assert window.outside == [], shot
        assert window.errors == [], shot
        assert "Something went wrong" not in window.text(), shot
        wide = window.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{shot} is {wide} pixels too wide"

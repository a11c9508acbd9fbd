"""A dataset on its page, and who looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import clock
from core.datasets import actions
from core.people.rules import Principal, Role
from core.runtime import Runtime
from core.settings import ROOT
from tests.datasets.sets import Sets, entry
from tests.pages.signed_in import SHELL, claims, greenroom, opened, person

PAGES = ROOT / "pages"


@pytest.fixture
def here(store_url: str, tmp_path: Path) -> Iterator[Runtime]:
    """A console with login."""
    with greenroom(tmp_path / "data", store_url) as running:
        yield running


@pytest.fixture
def mia(here: Runtime) -> Principal:
    return person(here, "mia", Role.REVIEWER)


def visit(page: str, **params: str) -> AppTest:
    shown = opened(SHELL, user=claims("mia"), **params)
    shown.switch_page(str(PAGES / page)).run()
    assert not shown.exception
    return shown


@pytest.fixture
def sets(here: Runtime) -> Sets:
    """A dataset with two examples, of the project's own."""
    ann = person(here, "ann", Role.PRODUCT_MANAGER)
    with here.db.write() as session:
        row = actions.create(session, project_id=1, name="Refunds", by=ann, at=clock.now())
    made = Sets(here.db, here.ids, clock.now(), row.id or 0, ann)
    made.write(entry("May I return it?", tags=("german",)), entry("Where is my parcel?"))
    return made


def look(sets: Sets, who: str = "ann", **params: str) -> AppTest:
    shown = opened(SHELL, user=claims(who), dataset=str(sets.id), **params)
    shown.switch_page(str(PAGES / "review_datasets.py")).run()
    assert not shown.exception
    return shown


def pressed(page: AppTest, key: str) -> AppTest:
    page.button(key=key).click().run()
    assert not page.exception
    return page

"""The page Webhooks: a secret is seen once, a test is sent, nobody without the right comes in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.people.rules import Role
from core.runtime import Runtime
from core.settings import ROOT
from core.webhooks import queries
from tests.pages import visiting
from tests.pages.signed_in import SHELL, claims, greenroom, opened, person

PAGE = ROOT / "pages" / "webhook_board.py"


@pytest.fixture
def here(store_url: str, tmp_path: Path) -> Iterator[Runtime]:
    """A console with login."""
    with greenroom(tmp_path / "data", store_url) as running:
        yield running


def visit(subject: str) -> AppTest:
    page = opened(SHELL, user=claims(subject))
    page.switch_page(str(PAGE)).run()
    assert not page.exception
    return page


def press(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click()
    page.run()
    assert not page.exception
    return page


def test_a_webhook_is_made_tested_rotated_and_switched_off(here: Runtime) -> None:
    person(here, "eve", Role.ENGINEER)
    page = visit("eve")
    page.text_input(key="webhook_url_0").input("http://127.0.0.1:9/hook")
    press(page, "Create webhook")
    assert "not public" in visiting.words(page).replace("\\", "") or page.error
    page.toggle(key="webhook_private_0").set_value(True)
    press(page, "Create webhook")
    secret = [block.value for block in page.code if str(block.value).startswith("whsec_")]
    assert len(secret) == 1
    assert not [block.value for block in visit("eve").code if str(block.value).startswith("whsec_")]
    press(page, "Send a test")
    with here.db.read() as session:
        (row,) = queries.webhooks(session, project_ids=(1,))
        assert len(queries.deliveries(session, webhook_id=row.id, project_ids=(1,)).rows) == 1
    press(page, "New secret")
    again = [block.value for block in page.code if str(block.value).startswith("whsec_")]
    assert len(again) == 1
    assert again != secret
    press(page, "Switch off")
    with here.db.read() as session:
        (row,) = queries.webhooks(session, project_ids=(1,))
    assert not row.is_on


def test_a_lead_reviewer_does_not_get_in(here: Runtime) -> None:
    person(here, "lena", Role.LEAD_REVIEWER)
    assert "Your roles do not open this page" in visiting.words(visit("lena")).replace("\\", "")

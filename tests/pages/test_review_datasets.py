"""The page Datasets, and keeping an answer as an example from where it is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import clock, ids
from core.datasets import queries
from core.people.rules import Principal, Role
from core.review import rubrics
from core.review.tables import ReviewItem
from core.runtime import Runtime
from core.settings import ROOT
from tests.pages import visiting
from tests.pages.attacks import ATTACKS
from tests.pages.signed_in import SHELL, claims, greenroom, opened, person
from tests.pages.visiting import made

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


def test_an_answer_is_kept_as_an_example_and_listed(here: Runtime, mia: Principal) -> None:
    call_id = made(here, said=("A question?", ATTACKS[3]))
    page = visit("call_list.py", call=ids.shown("call", call_id))
    page.text_input(key=f"example_new_{call_id}").input("Good ones").run()
    page.button(key=f"example_keep_{call_id}").click()
    page.run()
    assert not page.exception
    with here.db.read() as session:
        (row,) = queries.datasets(session, project_ids=(1,))
    assert (row.name, row.items) == ("Good ones", 1)
    page = visit("review_datasets.py")
    assert "1 to test with" in visiting.words(page)
    page = visit("review_datasets.py", dataset=str(row.id))
    told = visiting.words(page)
    assert "A question?" in told
    assert "<script>" not in told
    assert "There is no example of this kind here" in visiting.words(
        visit("review_datasets.py", dataset=str(row.id), kind="tuning")
    )


def test_a_dataset_of_nobody_is_not_there(here: Runtime, mia: Principal) -> None:
    assert "There is no such dataset" in visiting.words(visit("review_datasets.py", dataset="77"))


def test_a_call_is_sent_to_review_and_says_how_it_stands(here: Runtime, mia: Principal) -> None:
    lead = person(here, "lena", Role.LEAD_REVIEWER)
    with here.db.write() as session:
        queue = rubrics.open_queue(session, project_id=1, name="Answers", by=lead, at=clock.now())
    call_id = made(here, said=("A question?", "An answer."))
    page = visit("call_list.py", call=ids.shown("call", call_id))
    page.text_input(key=f"call_send_why_{call_id}").input("It sounds odd.")
    page.button(key=f"call_send_go_{call_id}").click()
    page.run()
    assert not page.exception
    with here.db.read() as session:
        item = session.get(ReviewItem, _only(session))
    assert item is not None
    assert (item.call_id, item.queue_id, item.source, item.reason) == (call_id, queue.id, "manual", "It sounds odd.")
    page = visit("call_list.py", call=ids.shown("call", call_id))
    assert "waits for people" in visiting.words(page)


def _only(session: object) -> int:
    from sqlmodel import Session, select

    assert isinstance(session, Session)
    return session.exec(select(ReviewItem.id)).one()

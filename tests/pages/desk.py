"""A desk with a queue, and what tests of it do, in a line each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core import clock
from core.guard.tables import CallFinding
from core.people.rules import Principal, Role
from core.review import actions, rubrics
from core.review.rules import Lane, Source
from core.review.tables import ReviewItem
from core.runtime import Runtime
from core.settings import ROOT
from tests.pages import visiting
from tests.pages.signed_in import SHELL, claims, greenroom, opened, person
from tests.pages.visiting import made

PAGE = ROOT / "pages" / "review_queue.py"
MAIL = "mia@example.org"


@pytest.fixture
def here(store_url: str, tmp_path: Path) -> Iterator[Runtime]:
    """A console with login."""
    with greenroom(tmp_path / "data", store_url) as running:
        yield running


@pytest.fixture
def mia(here: Runtime) -> Principal:
    return person(here, "mia", Role.REVIEWER)


@pytest.fixture
def lead(here: Runtime) -> Principal:
    return person(here, "lena", Role.LEAD_REVIEWER)


@pytest.fixture
def queue_id(here: Runtime, lead: Principal) -> int:
    with here.db.write() as session:
        queue = rubrics.open_queue(session, project_id=1, name="Answers", by=lead, at=clock.now())
        told: dict[str, Any] = {"by": lead, "at": clock.now()}
        number = rubrics.word(
            session,
            project_id=1,
            name="Care",
            questions=[{"name": "Correct", "kind": "yes or no"}, {"name": "Tone", "low": "rude", "high": "kind"}],
            reasons=[{"code": "wrong", "meaning": "states something false"}],
            policy_text="Never promise a refund.",
            **told,
        )
        told |= {"expected_version": queue.version, "changes": {"rubric_id": number}}
        rubrics.change_queue(session, queue_id=queue.id or 0, **told)
        return queue.id or 0


def sent(here: Runtime, queue_id: int, by: Principal, answer: str = "An answer.", **told: Any) -> int:
    """A recorded answer in the queue; the item's id."""
    call_id = made(here, said=("A question?", answer))
    with here.db.write() as session:
        given = {"source": Source.MANUAL, "by": by, "at": clock.now(), "ids": here.ids, **told}
        return actions.send(session, queue_id=queue_id, call_id=call_id, **given).id


def masked(
    here: Runtime,
    item_id: int,
    answer: str,
    family: str = "personal",
    kind: str = "email",
    confidence: float = 0.9,
    detector: str = "personal/1",
    act: str = "",
    number: int = 0,
) -> None:
    """Note a finding over the address in the answer of an item."""
    start = answer.index(MAIL)
    with here.db.write() as session:
        item = session.get(ReviewItem, item_id)
        assert item is not None
        session.add(
            CallFinding(
                call_id=item.call_id, number=number, project_id=1, side="output", place="choices.0.message.content",
                family=family, kind=kind, start=start, stop=start + len(MAIL), confidence=confidence, detector=detector,
                act=act,
            )
        )  # fmt: skip


def visit(subject: str, **params: str) -> AppTest:
    page = opened(SHELL, user=claims(subject), **params)
    page.switch_page(str(PAGE)).run()
    assert not page.exception
    return page


def words(page: AppTest) -> str:
    return visiting.words(page).replace("\\", "")


def press(page: AppTest, label: str) -> AppTest:
    """Press the button with this label."""
    next(button for button in page.button if button.label == label).click()
    page.run()
    assert not page.exception
    return page


def state(here: Runtime, item_id: int) -> ReviewItem:
    with here.db.read() as session:
        found = session.get(ReviewItem, item_id)
        assert found is not None
        return found


def focus(subject: str, queue_id: int, lane: Lane = Lane.REVIEW) -> AppTest:
    return visit(subject, queue=str(queue_id), lane=str(lane))

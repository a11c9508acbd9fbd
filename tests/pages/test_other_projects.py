"""Addresses that name what is another project's, or nothing at all, open a page that says so and shows none of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from core import clock, ids
from core.datasets import actions as datasets
from core.people import actions as people
from core.people.rules import LOCAL, Role
from core.prompts import actions as prompts
from core.review import actions as review
from core.review import rubrics
from core.review.rules import Source
from core.runtime import Runtime
from core.trials import actions as trials
from core.votes import actions as votes
from core.votes.rules import Entrant
from tests.pages.signed_in import SHELL, claims, greenroom, opened, person
from tests.pages.test_call_private import everything
from tests.pages.visiting import PAGES, made
from tests.prompts.shelf import content
from tests.trials.lab import design, plan
from tests.votes.arena import asks

SECRET = "the-other-projects-secret"
CLOSED = ("a\0b", "x" * 5_000, "9" * 400, "9" * 12, "-1", "<b>x</b>\u202e", "item_zzzzzzzzzzzzz")
OPENED = {
    "call_list.py": ("call", "conversation", "before", "q", "prompt", "key", "tag", "session", "id", "since"),
    "prompt_playground.py": ("from", "prompt", "run", "version"),
    "review_queue.py": ("item", "show", "queue"),
    "prompt_library.py": ("prompt", "folder", "tag", "q", "version", "show", "a", "b"),
    "review_datasets.py": ("dataset", "kind"),
    "live_tests.py": ("test",),
    "side_by_side.py": ("comparison", "show", "older", "one", "other", "named"),
    "review_quality.py": ("quality_queue",),
    "review_policies.py": ("show", "policy"),
}


@pytest.fixture
def here(store_url: str, tmp_path: Path) -> Iterator[Runtime]:
    with greenroom(tmp_path / "data", store_url) as running:
        yield running


@pytest.fixture
def theirs(here: Runtime) -> dict[str, str]:
    """A call, an item, a prompt, a dataset and a queue of a project that Mia has no part in."""
    person(here, "mia", *Role, project_id=1)
    told: dict[str, Any] = {"by": LOCAL, "at": clock.now()}
    with here.db.write() as session:
        other = people.create_project(session, name="other", **told).id or 0
    call_id = made(here, said=(SECRET, SECRET), session=SECRET, project_id=other)
    with here.db.write() as session:
        queue = rubrics.open_queue(session, project_id=other, name=SECRET, **told).id or 0
        item = review.send(session, queue_id=queue, call_id=call_id, source=Source.MANUAL, ids=here.ids, **told).id
        prompts.create(session, project_id=other, name=SECRET, content=content(SECRET), **told)
        dataset = datasets.create(session, project_id=other, name=SECRET, **told).id
        compared = votes.create(
            session, project_id=other, name=SECRET, question=SECRET, contestants=[Entrant("", "a"), Entrant("", "b")],
            questions=asks(SECRET), ids=here.ids, **told,
        )  # fmt: skip
        trial = trials.create(
            session, project_id=other, design=design(SECRET), plan=plan(SECRET, question=SECRET), ids=here.ids, **told
        )
    return {
        "call": ids.shown("call", call_id), "from": ids.shown("call", call_id), "item": ids.shown("item", item),
        "prompt": SECRET, "dataset": f"{dataset}", "comparison": f"{compared}",
        "test": f"{trial}", "conversation": SECRET, "quality_queue": f"{queue}",
        "queue": f"{queue}", "before": ids.shown("call", call_id + 1),
    }  # fmt: skip


def shown(page_file: str, **params: str) -> str:
    page = opened(SHELL, user=claims("mia"), **params)
    page.switch_page(str(PAGES / page_file))
    for name, value in params.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception, (page_file, params, page.exception)
    return everything(page)


def test_an_address_of_another_projects_thing_shows_nothing_of_it(here: Runtime, theirs: dict[str, str]) -> None:
    for page_file, names in OPENED.items():
        for name in names:
            if name in theirs:
                told = shown(page_file, **{name: theirs[name]} | ({"show": "all"} if name == "item" else {}))
                assert told.count(SECRET) <= (theirs[name] == SECRET) * 8, (page_file, name)
                assert "other" not in told.split(), (page_file, name)


@pytest.mark.parametrize(
    ("page_file", "names"),
    [
        ("call_list.py", ("call",)),
        ("call_list.py", ("conversation",)),
        ("call_list.py", ("before", "q", "prompt", "key", "tag", "session", "since")),
        ("prompt_playground.py", ("from", "prompt", "version")),
        ("review_queue.py", ("item", "show")),
        ("review_queue.py", ("queue",)),
        ("review_queue.py", ("many",)),
        ("prompt_library.py", ("prompt", "version")),
        ("prompt_library.py", ("folder", "tag", "q", "older")),
        ("review_datasets.py", ("dataset", "kind", "before")),
        ("review_datasets.py", ("dataset", "back", "old", "upto", "after", "from_group", "alike")),
        ("live_tests.py", ("test",)),
        ("review_quality.py", ("quality_queue",)),
        ("side_by_side.py", ("comparison", "show", "older", "one", "other")),
    ],
)
def test_an_address_of_nothing_opens_all_the_same(here: Runtime, page_file: str, names: tuple[str, ...]) -> None:
    person(here, "mia", Role.LEAD_REVIEWER, Role.ENGINEER, project_id=1)
    for value in CLOSED:
        assert "Traceback" not in shown(page_file, **dict.fromkeys(names, value))

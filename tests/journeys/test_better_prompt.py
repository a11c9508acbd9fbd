"""From a second version of a prompt to production and back: experiment, blind votes, live test, promote, roll back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from playwright.sync_api import Browser, Page, expect

from core import clock
from core.datasets import actions as datasets
from core.datasets.rules import Entry, Example, Kind
from core.db.process import register
from core.ids import Ids
from core.people import actions as people
from core.people.rules import CLI
from core.prompts import actions as prompts
from core.prompts import queries, releases
from core.vault import open_vault
from core.votes import queries as compared
from tests.journeys.test_login import Console, console, settled
from tests.prompts.shelf import content
from tests.support.browser import opened

pytestmark = [pytest.mark.browser, pytest.mark.node]
QUESTIONS = ("How do I get a refund?", "Where is my parcel?", "I forgot my password.", "May I return a lamp?")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with console(tmp_path_factory.mktemp("better")) as running:
        yield running


def furnished(house: Console) -> None:
    """A prompt in production with a second version, and questions to test with."""
    told: dict[str, Any] = {"by": CLI, "at": clock.now()}
    with house.db.write() as session:
        ids = Ids(register(session, "test"))
        made = content("Returns are free within thirty days.", model="builtin/rules")
        first = prompts.create(session, project_id=1, name="support", content=made, note="First.", **told)
        releases.move(session, prompt_id=first.prompt_id, label="production", number=1, ids=ids, **told)
        better = content("Returns are free within thirty days.", model="builtin/extract")
        prompts.save(session, prompt_id=first.prompt_id, content=better, note="Reads what it is told.", **told)
        row = datasets.create(session, project_id=1, name="Questions", **told)
        assert row.id is not None
        entries = [
            (number, Entry(Example(Kind.ITEM, {"messages": [{"role": "user", "content": question}]}, None)))
            for number, question in enumerate(QUESTIONS)
        ]
        assert datasets.take(session, dataset_id=row.id, entries=entries, origin="test", ids=ids, **told) == []


def labels(house: Console) -> dict[str, int]:
    with house.db.read() as session:
        return dict(queries.named(session, "support", project_id=1).labels)


def experimented(house: Console, page: Page) -> None:
    """Both versions over the dataset, made in words and watched to the end."""
    house.enter(page, "ada", "/experiments?experiment=new")
    name = page.get_by_label("Name", exact=True)
    expect(name).to_be_visible()
    name.fill("Which support?")
    name.press("Tab")
    settled(page)
    page.get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_text("8 of 8 answered")).to_be_visible()
    page.get_by_role("radio", name="Compare", exact=True).click()
    settled(page)
    expect(page.get_by_text("How this was calculated")).to_be_visible()


def voted(house: Console, page: Page) -> None:
    """A blind vote with a key, on the answers that the experiment just made."""
    page.get_by_role("button", name="Let people vote on the answers").click()
    page.get_by_role("button", name="Begin", exact=True).click()
    expect(page.get_by_text("8 of 8 answers are ready.")).to_be_visible()
    page.get_by_role("radio", name="Vote", exact=True).click()
    settled(page)
    expect(page.get_by_role("button", name="A is better")).to_be_visible()
    assert "version 1" not in page.inner_text("body")
    page.get_by_text("What was asked").click()
    page.keyboard.press("1")
    expect(page.get_by_text("You said:")).to_be_visible()
    expect(page.get_by_test_id("stMain")).to_contain_text("version 1")
    with house.db.read() as session:
        assert [one.votes for one in compared.comparisons(session, project_ids=[1])] == [1]


def tried(house: Console, page: Page, key: str) -> None:
    """A live test from the form to users who are answered by both versions."""
    page.goto(f"{house.url}/tests?test=new")
    settled(page)
    page.get_by_role("button", name="Keep as a draft").click()
    settled(page)
    page.get_by_role("button", name="Start with").click()
    expect(page.get_by_role("button", name="Roll back")).to_be_visible()
    for _ in range(7):
        wider = page.get_by_role("button", name="Cover ")
        if not wider.count():
            break
        wider.first.click()
        settled(page)
    page.wait_for_timeout(1_500)  # a running test is known everywhere within a second
    served = set()
    with httpx2.Client(base_url=house.url, headers={"authorization": f"Bearer {key}"}, timeout=20) as client:
        for number in range(24):
            body: dict[str, Any] = {"model": "prompt:support", "user": f"reader-{number}"}
            body["messages"] = [{"role": "user", "content": QUESTIONS[number % 4]}]
            answer = client.post("/v1/chat/completions", json=body)
            assert answer.status_code == 200, answer.text
            served.add(answer.headers["greenroom-prompt"])
    assert served == {"support@1", "support@2"}
    page.reload()
    settled(page)


def test_a_better_prompt_goes_from_an_experiment_to_production_and_back(house: Console, chromium: Browser) -> None:
    with opened(chromium) as window:
        page = window.page
        furnished(house)
        with house.db.write() as session:
            vault = open_vault(Path(str(house.db.reader.url.database)).parent, "")
            _, key = people.create_key(session, project_id=1, name="app", vault=vault, by=CLI, at=clock.now())
        experimented(house, page)
        voted(house, page)
        tried(house, page, key)

        page.get_by_role("button", name="Promote B").first.click()
        page.get_by_role("button", name="Promote B for everybody").click()
        settled(page)
        expect(page.get_by_text("B is what everybody gets.").or_(page.get_by_text("promoted")).first).to_be_visible()
        assert labels(house)["production"] == 2

        page.goto(f"{house.url}/prompts?prompt=support&view=labels")
        settled(page)
        page.get_by_role("button", name="Roll back").click()
        settled(page)
        expect(page.get_by_text("production names version 1").or_(page.get_by_text("version 1")).first).to_be_visible()
        assert labels(house)["production"] == 1
        assert window.errors == []

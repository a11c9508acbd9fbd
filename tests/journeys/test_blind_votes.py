"""Two voters in two browsers: nothing that reaches one names a contestant before the vote; keys vote; a board shows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from playwright.sync_api import Browser, Page, WebSocket, expect
from sqlmodel import col, select

from core import clock
from core.db.process import register
from core.ids import Ids
from core.people.rules import CLI
from core.votes import actions, queries
from core.votes.rules import Entrant
from core.votes.tables import ComparePair
from tests.journeys.test_login import Console, console, settled
from tests.support.browser import opened
from tests.votes.arena import asks

pytestmark = [pytest.mark.browser, pytest.mark.node]
ASKED = (b"refund", b"parcel", b"password")
"""A word of each question."""
NAMES = (b"Zeta", b"Theta", b"builtin/")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    with console(tmp_path_factory.mktemp("votes")) as running:
        yield running


def compared(house: Console, page: Page) -> int:
    """A comparison whose answers the console has made by itself."""
    with house.db.write() as session:
        number = actions.create(
            session, project_id=1, name="Refunds", question="Which answer helps more?",
            contestants=[Entrant("Zeta", "builtin/rules"), Entrant("Theta", "builtin/extract")],
            questions=asks("How do I get a refund?", "Where is my parcel?", "I forgot my password."), by=CLI,
            at=clock.now(), ids=Ids(register(session, "test")),
        )  # fmt: skip
    for _ in range(200):
        with house.db.read() as session:
            if queries.comparison(session, number, project_ids=[1]).made.ready == 6:
                return number
        page.wait_for_timeout(100)
    raise AssertionError("the answers were not made")


@dataclass
class Voter:
    """A voter in a browser of their own; `frames` is everything the server sent it."""

    page: Page
    frames: list[bytes] = field(default_factory=list)

    @classmethod
    def enters(cls, page: Page) -> Voter:
        voter = cls(page)

        def keep(payload: str | bytes) -> None:
            voter.frames.append(payload if isinstance(payload, bytes) else payload.encode())

        def listen(socket: WebSocket) -> None:
            socket.on("framereceived", keep)

        page.on("websocket", listen)
        return voter

    def told(self) -> list[bytes]:
        """Names that have reached this browser."""
        return [name for name in NAMES if any(name in frame for frame in self.frames)]

    def press(self, key: str) -> None:
        self.page.get_by_text("What was asked").click()
        self.page.keyboard.press(key)


def votes(house: Console) -> list[tuple[str, str]]:
    with house.db.read() as session:
        rows = session.exec(
            select(ComparePair).where(col(ComparePair.choice).is_not(None)).order_by(col(ComparePair.id))
        )
        return [(row.choice or "", row.comment) for row in rows]


def test_two_people_vote_with_keys_and_learn_names_only_then(house: Console, chromium: Browser) -> None:
    with opened(chromium) as first, opened(chromium) as second:
        number = compared(house, first.page)
        for window, subject, key in ((first, "mo", "1"), (second, "noa", "4")):
            page = window.page
            voter = Voter.enters(page)
            house.enter(page, subject, f"/compare?comparison={number}&show=vote")
            window.outside.clear()  # the provider's own sign-in page asks for fonts
            expect(page.get_by_role("button", name="A is better")).to_be_visible()
            assert any(word in frame for word in ASKED for frame in voter.frames)
            assert voter.told() == []
            assert not [name for name in NAMES if name.decode() in page.content()]

            before = len(votes(house))
            comment = page.get_by_label("Comment")
            comment.click()
            page.keyboard.type("1 of 2, 34 sn")  # every key of a vote
            page.keyboard.press("Tab")
            settled(page)
            expect(comment).to_have_value("1 of 2, 34 sn")
            assert len(votes(house)) == before
            assert voter.told() == []

            voter.press(key)
            expect(page.get_by_text("You said:")).to_be_visible()
            expect(page.get_by_text("Zeta").first).to_be_visible()
            expect(page.get_by_text("Theta").first).to_be_visible()
            assert votes(house)[-1] == ({"1": "left", "4": "both_bad"}[key], "1 of 2, 34 sn")

            voter.press(key)  # again: a vote stays
            settled(page)
            assert len(votes(house)) == before + 1
            voter.press("n")
            expect(page.get_by_role("button", name="Tie")).to_be_visible()
            assert not [name for name in NAMES if name.decode() in page.content()]

        page = first.page
        page.get_by_role("radio", name="Leaderboard").click()
        settled(page)
        expect(page.get_by_text("2 votes of 2 voters, 0 tied, 1 both bad.")).to_be_visible()
        expect(page.get_by_text("Who beats whom")).to_be_visible()
        cell = page.locator(".st-key-compare_matrix .js-plotly-plot .points path.point").nth(1)
        cell.scroll_into_view_if_needed()
        box = cell.bounding_box()
        assert box is not None
        page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        settled(page)
        assert "one=" in page.url
        assert "other=" in page.url
        expect(page.get_by_text("You: ").first).to_be_visible()
        assert first.errors == second.errors == []
        assert first.outside == second.outside == []

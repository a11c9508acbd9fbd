"""Private words of a call are nowhere on a page until somebody says why they must read them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import anyio
import pytest
from starlette.requests import Request
from streamlit.testing.v1 import AppTest

from core import clock, ids
from core.audit import queries as trail
from core.calls.filters import Filters
from core.errors import NotAllowed, NotFound
from core.gateway import call_exports, downloads, tickets
from core.guard import queries as guard
from core.guard.findings import FAILED, Passage, Side
from core.guard.queries import FoundRow
from core.guard.rows import MOST
from core.guard.tables import CallFinding
from core.people.rules import Principal, Role
from core.review.reveal import reveal_call
from core.runtime import Runtime
from core.settings import ROOT
from pages.parts import call_table, review_text
from tests.pages.signed_in import SHELL, claims, greenroom, opened, person
from tests.pages.visiting import made

MAIL = "mia@example.org"
ANSWER = f"Write to {MAIL} please."
PLACE = "choices.0.message.content"
LIST, PLAYGROUND = ROOT / "pages" / "call_list.py", ROOT / "pages" / "prompt_playground.py"


@pytest.fixture
def here(store_url: str, tmp_path: Path) -> Iterator[Runtime]:
    """A console with login."""
    with greenroom(tmp_path / "data", store_url) as running:
        yield running


@pytest.fixture
def mia(here: Runtime) -> Principal:
    return person(here, "mia", Role.REVIEWER)


@pytest.fixture
def call_id(here: Runtime, mia: Principal) -> int:
    """A call whose answer has an e-mail address, as a policy found."""
    number = made(here, said=("Whom do I write to?", ANSWER), session="s1")
    start = ANSWER.index(MAIL)
    with here.db.write() as session:
        session.add(
            CallFinding(
                call_id=number, number=0, project_id=1, side="output", place=PLACE, family="personal", kind="email",
                start=start, stop=start + len(MAIL), confidence=0.9, detector="personal/1", policy="P/1", act="flag",
            )
        )  # fmt: skip
    return number


def visit(page_file: Path, **params: str) -> AppTest:
    page = opened(SHELL, user=claims("mia"), **params)
    page.switch_page(str(page_file)).run()
    assert not page.exception
    return page


def everything(page: AppTest) -> str:
    """All that was sent to the browser, of every element."""

    def told(node: Any) -> Iterator[str]:
        yield str(getattr(node, "proto", ""))
        for child in getattr(node, "children", {}).values():
            yield from told(child)

    return "\n".join([*told(page._tree), *(frame.value.to_csv() for frame in page.dataframe)])


def test_a_call_is_masked_until_a_reason_is_given(here: Runtime, mia: Principal, call_id: int) -> None:
    shown = ids.shown("call", call_id)
    page = visit(LIST, call=shown)
    assert MAIL not in everything(page)
    assert "private words here" in everything(page)
    assert "Raw JSON" not in everything(page)
    assert "Ask it again" not in everything(page)
    page.button(key="call_reveal_go").click().run()
    assert "Say why" in everything(page)
    assert MAIL not in everything(page)
    page.text_input(key=f"call_reveal_why_{call_id}").input("A reader complained.")
    page.button(key="call_reveal_go").click().run()
    assert MAIL in everything(page)
    with here.db.read() as session:
        (event,) = [one for one in trail.events(session) if one.action == "call.revealed"]
    assert (event.actor, event.target, event.after) == (mia.actor, shown, {"reason": "A reader complained."})


def test_lists_conversations_and_the_playground_keep_it_masked(here: Runtime, mia: Principal, call_id: int) -> None:
    plain = made(here, said=("Is it open?", "It is open."))
    page = visit(LIST)
    assert MAIL not in everything(page)
    table = page.dataframe[0].value.set_index("id")
    assert table.loc[ids.shown("call", call_id), "asked"].startswith("private")
    assert table.loc[ids.shown("call", plain), "answered"] == "It is open."
    assert MAIL not in everything(visit(LIST, conversation="s1"))
    page = visit(PLAYGROUND, **{"from": ids.shown("call", call_id)})
    assert "private words" in everything(page)
    assert "Whom do I write to?" not in everything(page)


def test_a_masked_word_cannot_be_guessed_by_searching_for_it(here: Runtime, mia: Principal, call_id: int) -> None:
    shown = ids.shown("call", call_id)
    plain = made(here, said=("Whom do I write to?", "To us."))
    for guess in (MAIL, "mia", '"whom do I write"', "session:s1"):
        page = visit(LIST, q=guess) if "session" not in guess else visit(LIST, q=MAIL, session="s1")
        listed = [one for frame in page.dataframe for one in frame.value["id"]]
        assert listed == ([ids.shown("call", plain)] if "whom" in guess else []), guess
        assert "not searched for words" in everything(page)
    page = visit(LIST, session="s1")
    assert list(page.dataframe[0].value["id"]) == [shown]
    assert "not searched for words" not in everything(page)
    page = visit(LIST, call=shown)
    page.text_input(key=f"call_reveal_why_{call_id}").input("A reader complained.")
    page.button(key="call_reveal_go").click().run()
    del page.query_params["call"]
    page.query_params["q"] = MAIL
    page.run()
    assert list(page.dataframe[0].value["id"]) == [shown]  # who has revealed it finds it


def test_the_drawer_beside_the_list_keeps_it_masked(here: Runtime, mia: Principal, call_id: int) -> None:
    page = visit(LIST)
    page.session_state[call_table.PEEK] = call_id
    page.run()
    assert ids.shown("call", call_id) in [one.value for one in page.code]
    assert "Whom do I write to?" in everything(page)
    assert "Private words are masked" in everything(page)
    assert MAIL not in everything(page)


@pytest.mark.parametrize(
    ("act", "policy", "is_masked"), [("hold", "P/1", True), ("refuse", "P/1", True), ("pass", "", False)]
)
def test_where_a_detector_of_private_words_broke_under_a_strict_policy_the_whole_call_is_masked(
    here: Runtime, mia: Principal, act: str, policy: str, is_masked: bool
) -> None:
    number = made(here, said=("Whom do I write to?", ANSWER))
    with here.db.write() as session:
        session.add(
            CallFinding(
                call_id=number, number=0, project_id=1, side="output", place=PLACE, family="personal", kind=FAILED,
                start=0, stop=0, confidence=0.0, detector="personal/1", policy=policy, act=act,
            )
        )  # fmt: skip
    told = everything(visit(LIST, call=ids.shown("call", number))) + everything(visit(LIST))
    assert (MAIL in told, "Whom do I write to?" in told) == (not is_masked, not is_masked)
    assert ("all of it is masked" in told) is is_masked


def test_only_who_reads_the_projects_calls_reveals_one(here: Runtime, mia: Principal, call_id: int) -> None:
    told = {"call_id": call_id, "project_id": 1, "reason": "why", "at": clock.now()}
    viewer = person(here, "vic", Role.VIEWER)
    with here.db.write() as session, pytest.raises(NotAllowed):
        reveal_call(session, **told, by=viewer)
    with here.db.write() as session, pytest.raises(NotFound):
        reveal_call(session, **told | {"call_id": 5}, by=mia)
    with here.db.read() as session:
        assert guard.private(session, [call_id, 5], project_ids=(1,)) == {call_id: ("email",)}
        assert guard.private(session, [call_id], project_ids=(2,)) == {}


def test_an_export_masks_until_a_reason_is_given(here: Runtime, call_id: int) -> None:
    person(here, "mia", Role.LEAD_REVIEWER)
    page = visit(LIST)
    page.session_state["calls_export"] = True
    page.run()
    assert "masked in the file" in everything(page)
    page.toggle(key="calls_export_private").set_value(True).run()
    assert "Until you say why" in everything(page)
    page.text_input(key="calls_export_why").input("The court asks.").run()
    assert "as they were said" in everything(page)
    at = clock.now()
    links = [one.proto.url for one in page.get("link_button")]
    assert len(links) == 2
    for link in links:
        (ticket,) = parse_qs(urlsplit(link).query)["ticket"]
        assert call_exports.order_of(tickets.opened(here.vault, ticket, now=at)).why == "The court asks."


def test_an_export_does_not_count_what_it_will_not_find(here: Runtime, call_id: int) -> None:
    person(here, "mia", Role.LEAD_REVIEWER)
    made(here, said=("Whom do I write to?", "To us."))
    page = opened(SHELL, user=claims("mia"), q="write")
    page.switch_page(str(LIST))
    page.query_params["q"] = "write"
    page.session_state["calls_export"] = True
    page.run()
    assert "**1 call**" in everything(page)


@pytest.mark.parametrize("leaves", [False, True])
def test_the_trail_has_how_much_was_handed_out_though_the_reader_left(
    here: Runtime, call_id: int, leaves: bool
) -> None:
    lena = person(here, "lena", Role.LEAD_REVIEWER)
    order = call_exports.Order(lena.actor, 1, Filters(), "jsonl", clock.now(), "The court asks.")
    ticket = call_exports.ticket(here.vault, order, by=lena)
    told: dict[str, Any] = {"type": "http", "method": "GET", "headers": [], "query_string": f"ticket={ticket}".encode()}
    got: list[bytes] = []

    async def receive() -> dict[str, Any]:
        if not leaves:
            await anyio.sleep_forever()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if leaves:
            await anyio.sleep_forever()
        got.append(message.get("body", b""))

    async def fetch() -> None:
        with anyio.fail_after(20):
            response = await downloads.download(Request(told, receive))
            await response(told, receive, send)

    anyio.run(fetch)
    assert (MAIL.encode() in b"".join(got)) is not leaves
    with here.db.read() as session:
        ended, began = trail.events(session, limit=2)
    assert (began.action, ended.action) == ("calls.exported", "calls.export_ended")
    assert began.after is not None
    assert began.after["reason"] == "The court asks."
    assert ended.after is not None
    assert (ended.after["with private words"], ended.after["complete"]) == ((0, False) if leaves else (1, True))


def found(family: str, start: int, stop: int) -> FoundRow:
    return FoundRow(1, "output", PLACE, family, family, start, stop, 0.9, "d/1", "P/1", "flag")


@pytest.mark.parametrize(
    ("findings", "hidden"),
    [
        ([found("link", 0, 30), found("secret", 10, 18)], "PASSWORD"),
        ([found("personal", 8, 14), found("secret", 10, 18)], "PASSWORD"),
        ([found("personal", 4, 10), found("personal", 10, 14), found("secret", 12, 18)], "PASSWORD"),
        ([found("secret", 10, 90)], "PASSWORD"),
        ([found("personal", 0, 3)] + [found("word", 20, 21)] * MOST, "PASSWORD"),
    ],
)
def test_no_overlap_and_no_number_of_findings_shows_what_is_private(findings: list[FoundRow], hidden: str) -> None:
    text = Passage(Side.OUTPUT, PLACE, "https://u:PASSWORD@example.org/page", "assistant")
    for shown in (
        review_text.marked_html(text, findings, is_revealed=False),
        review_text.to_edit(text, findings, is_revealed=False),
        review_text.masked(f"It was {hidden}.", [text], findings) if len(findings) == 2 else "",
    ):
        assert hidden not in shown
    assert hidden in review_text.to_edit(text, findings, is_revealed=True)

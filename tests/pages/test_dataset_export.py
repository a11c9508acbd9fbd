"""Examples leave through a link that the page gives: in every format, streamed, to whoever still may."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import orjson
import pytest
from pyarrow import parquet
from starlette.requests import Request

from core import clock
from core.audit import queries as trail
from core.datasets import actions
from core.gateway import dataset_exports, downloads, tickets
from core.people import actions as people
from core.people.rules import LOCAL, Principal, Role
from core.runtime import Runtime
from core.settings import ROOT
from tests.datasets.sets import Sets, entry
from tests.pages.signed_in import SHELL, claims, greenroom, opened, person

FORMULA = '=HYPERLINK("https://evil.example")'


@pytest.fixture
def here(store_url: str, tmp_path: Path) -> Iterator[Runtime]:
    """A console with login."""
    with greenroom(tmp_path / "data", store_url) as running:
        yield running


@pytest.fixture
def mia(here: Runtime) -> Principal:
    return person(here, "mia", Role.REVIEWER)


@pytest.fixture
def sets(here: Runtime, mia: Principal) -> Sets:
    """A dataset with two examples, of the project's own."""
    ann = person(here, "ann", Role.PRODUCT_MANAGER)
    with here.db.write() as session:
        row = actions.create(session, project_id=1, name="Refunds", by=ann, at=clock.now())
    made = Sets(here.db, here.ids, clock.now(), row.id or 0, ann)
    made.write(entry("May I return it?"), entry(FORMULA))
    return made


def links(sets: Sets) -> dict[str, str]:
    """The links that the page gives, by format."""
    page = opened(SHELL, user=claims("mia"), dataset=str(sets.id), view="export")
    page.switch_page(str(ROOT / "pages" / "review_datasets.py")).run()
    assert not page.exception
    return {
        (one.key or "").removeprefix("dataset_export_"): one.proto.url
        for one in page.get("link_button")
        if not one.proto.disabled
    }


def fetched(link: str, method: str = "GET") -> tuple[int, list[bytes]]:
    """The status and the pieces of what a link hands out."""
    query = urlsplit(link).query.encode()
    told: dict[str, Any] = {"type": "http", "method": method, "headers": [], "query_string": query}
    status: list[int] = []
    got: list[bytes] = []

    async def receive() -> dict[str, Any]:
        await anyio.sleep_forever()
        return {}

    async def send(message: Any) -> None:
        status.extend([message["status"]] if "status" in message else [])
        got.extend([message["body"]] if message.get("body") else [])

    async def fetch() -> None:
        with anyio.fail_after(20):
            response = await downloads.download(Request(told, receive))
            await response(told, receive, send)

    anyio.run(fetch)
    return status[0], got


def exported(here: Runtime) -> list[Any]:
    with here.db.read() as session:
        return [event.after for event in trail.events(session, action="dataset.exported")]


def test_every_link_hands_out_its_format_and_the_trail_knows(here: Runtime, sets: Sets) -> None:
    found = {name: fetched(link) for name, link in links(sets).items()}
    assert {name: status for name, (status, _) in found.items()} == dict.fromkeys(
        ("jsonl", "csv", "parquet", "tuning"), 200
    )
    files = {name: b"".join(pieces) for name, (_, pieces) in found.items()}
    said = [orjson.loads(line)["input"]["messages"][0]["content"] for line in files["jsonl"].splitlines()]
    assert said == ["May I return it?", FORMULA]
    assert b"May I return it?" in files["csv"]
    assert b"\n=" not in files["csv"]
    assert b',"=' not in files["csv"]
    assert parquet.read_table(io.BytesIO(files["parquet"])).num_rows == 2
    assert len(files["tuning"].splitlines()) == 2
    assert exported(here) == [
        {"what": f"{name}, draft"} for name in ("tuning", "parquet", "csv", "jsonl")
    ]  # newest first


def test_a_large_dataset_goes_out_in_pieces(sets: Sets) -> None:
    sets.write(*(entry(f"Question {number}?") for number in range(450)))
    status, pieces = fetched(links(sets)["jsonl"])
    assert (status, len(b"".join(pieces).splitlines())) == (200, 452)
    assert len(pieces) >= 3


def test_a_link_is_worth_nothing_to_who_lost_the_right_and_nothing_is_told(
    here: Runtime, sets: Sets, mia: Principal
) -> None:
    link = links(sets)["jsonl"]
    assert mia.person_id is not None
    with here.db.write() as session:
        people.set_active(session, person_id=mia.person_id, is_active=False, by=LOCAL, at=clock.now())
    status, pieces = fetched(link)
    assert status == 403
    assert b"May I return it?" not in b"".join(pieces)
    assert exported(here) == []


def test_a_link_names_one_dataset_of_one_project(here: Runtime, sets: Sets, mia: Principal) -> None:
    given = dataset_exports.Order(mia.actor, 1, sets.id + 1, "jsonl", clock.now())
    ticket = dataset_exports.ticket(here.vault, given, by=mia)
    assert fetched(tickets.link(ticket))[0] == 404
    assert fetched(tickets.link("x"))[0] == 403
    assert fetched(links(sets)["jsonl"], "HEAD")[0] == 405
    assert exported(here) == []

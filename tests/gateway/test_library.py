"""Prompts of another machine's repository: read, kept and moved over HTTP, by a key that opens nothing else."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner, Result
from sqlmodel import select

from core import clock
from core.audit import queries as trail
from core.cli.prompting import prompt
from core.errors import GreenroomError
from core.people import actions as people
from core.people.rules import CLI, KeyScope
from core.prompts import files, releases
from core.prompts.files import PromptFile
from core.prompts.tables import PromptVersion
from tests.prompts.shelf import content
from tests.support.house import House

pytestmark = pytest.mark.anyio


async def repository_key(house: House, project_id: int = 1) -> str:
    def make() -> str:
        with house.runtime.db.write() as session:
            _, key = people.create_key(
                session, project_id=project_id, name="repo", by=CLI, at=clock.now(), vault=house.runtime.vault,
                scope=KeyScope.REPOSITORY,
            )  # fmt: skip
        house.runtime.refresh()
        return key

    return await asyncio.to_thread(make)


async def asked(house: House, method: str, path: str, body: Any = None, *, key: str) -> httpx2.Response:
    return await house.client.request(method, path, json=body, headers={"authorization": f"Bearer {key}"})


def file(name: str, text: str, **told: Any) -> dict[str, Any]:
    return files.to_dict(PromptFile(name, content(text), **told))


async def greenroom(house: House, *arguments: str, key: str) -> Result:
    """`greenroom prompt …`, as it is run on another machine."""
    env = {"GREENROOM_SERVER": house.url, "GREENROOM_API_KEY": key}
    return await asyncio.to_thread(lambda: CliRunner().invoke(prompt, list(arguments), env=env))


async def versions(house: House) -> int:
    def count() -> int:
        with house.runtime.db.read() as session:
            return len(session.exec(select(PromptVersion)).all())

    return await asyncio.to_thread(count)


async def test_a_repository_elsewhere_pushes_a_folder_and_pulls_it_back_to_the_letter(
    house: House, tmp_path: Path
) -> None:
    key = await repository_key(house)
    inside, out = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    for name, text in (("a/refund", 'Help.\n{% include "z/tone" %}\n'), ("z/tone", "Be kind.\n  Always. ü")):
        made = PromptFile(name, content(text), "What it is for.", ("one", "two"), "First.")
        (inside / f"{name.replace('/', '_')}.yaml").write_text(files.to_yaml(made), encoding="utf-8")
    told = await greenroom(house, "push", str(inside), "--check", key=key)
    assert (told.exit_code, told.output.count("new version 1")) == (1, 2)
    assert await versions(house) == 0
    told = await greenroom(house, "push", str(inside), "--label", "staging", key=key)
    assert (told.exit_code, told.output.count("new version 1, staging moved")) == (0, 2), told.output
    told = await greenroom(house, "push", str(inside), "--label", "staging", "--check", key=key)
    assert (told.exit_code, told.output.count("as it was")) == (0, 2)
    assert (await greenroom(house, "pull", "--all", "--to", str(out), key=key)).exit_code == 0
    assert (out / "a/refund.yaml").read_bytes() == (inside / "a_refund.yaml").read_bytes()
    assert (out / "z/tone.yaml").read_bytes() == (inside / "z_tone.yaml").read_bytes()
    assert "staging=1" in (await greenroom(house, "list", "--folder", "z", key=key)).output
    told = await greenroom(house, "label", "z/tone@staging", "production", "--note", "Good.", key=key)
    assert told.output == "z/tone@production is version 1\n"
    assert (await asked(house, "GET", "/v1/prompts/z/tone?version=production", key=key)).json()["version"] == 1


async def test_who_pushed_is_in_the_trail(house: House) -> None:
    key = await repository_key(house)
    told = await asked(house, "POST", "/v1/prompts", {"files": [file("a", "One.")]}, key=key)
    assert told.json()["data"] == [{"name": "a", "number": 1, "is_new": True, "has_moved": False}]

    def newest() -> trail.EventView:
        with house.runtime.db.read() as session:
            return trail.events(session, limit=1)[0]

    event = await asyncio.to_thread(newest)
    assert event.actor.startswith("key:")
    assert event.action.startswith("prompt.")


async def test_one_file_that_cannot_be_kept_and_none_is(house: House) -> None:
    key = await repository_key(house)
    bad = file("b", "Two.") | {"modle": "m"}
    told = await asked(house, "POST", "/v1/prompts", {"files": [file("a", "One."), bad]}, key=key)
    assert (told.status_code, "File 2" in told.text, "modle" in told.text) == (400, True, True)
    missing = file("c", '{% include "gone" %}')
    told = await asked(house, "POST", "/v1/prompts", {"files": [file("a", "One."), missing]}, key=key)
    assert told.status_code in {400, 404}
    assert "gone" in told.text
    assert await versions(house) == 0


async def test_a_protected_label_is_not_moved_by_a_key_and_nothing_is_kept(house: House) -> None:
    key = await repository_key(house)

    def protect() -> None:
        with house.runtime.db.write() as session:
            releases.protect(session, project_id=1, label="production", is_protected=True, by=CLI, at=clock.now())

    await asyncio.to_thread(protect)
    body = {"files": [file("a", "One.")], "label": "production"}
    told = await asked(house, "POST", "/v1/prompts", body, key=key)
    assert (told.status_code, told.json()["error"]["code"]) == (409, "label_protected")
    assert await versions(house) == 0
    await asked(house, "POST", "/v1/prompts", {"files": [file("a", "One.")]}, key=key)
    told = await asked(house, "POST", "/v1/prompts/a/labels", {"label": "production"}, key=key)
    assert told.status_code == 409


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/prompts", None),
        ("GET", "/v1/prompts/a", None),
        ("POST", "/v1/prompts", {"files": [file("b", "Two.")]}),
        ("POST", "/v1/prompts/a/labels", {"label": "staging"}),
    ],
)
async def test_an_applications_key_opens_no_prompts_and_a_repositorys_no_models(
    house: House, method: str, path: str, body: Any
) -> None:
    key = await repository_key(house)
    await asked(house, "POST", "/v1/prompts", {"files": [file("a", "One.")]}, key=key)
    told = await asked(house, method, path, body, key=house.key)
    assert (told.status_code, "for an application" in told.text) == (403, True)
    for other, given in (("chat/completions", {"model": "double/m", "messages": []}), ("feedback", {"id": "x"})):
        told = await asked(house, "POST", f"/v1/{other}", given, key=key)
        assert (told.status_code, "for a repository" in told.text) == (403, True)
    assert await versions(house) == 1


async def test_a_key_sees_and_changes_the_prompts_of_its_own_project_only(house: House) -> None:
    key = await repository_key(house)
    await asked(house, "POST", "/v1/prompts", {"files": [file("a", "Secret.")]}, key=key)
    await house.project("other")
    foreign = await repository_key(house, 2)
    assert (await asked(house, "GET", "/v1/prompts", key=foreign)).json()["data"] == []
    for method, path, body in (("GET", "/v1/prompts/a", None), ("POST", "/v1/prompts/a/labels", {"label": "x"})):
        told = await asked(house, method, path, body, key=foreign)
        assert (told.status_code, "Secret" in told.text) == (404, False)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "files"),
        ({"files": []}, "files"),
        ({"files": "a"}, "files"),
        ({"files": [1]}, "files"),
        ({"files": [file("a", "One.")], "label": 1}, "label"),
        ({"files": [file("a", "One.")], "check": "yes"}, "check"),
        ({"files": [file("a", "One.")], "lable": "x"}, "lable"),
    ],
)
async def test_a_push_that_cannot_be_read_names_what_is_wrong(house: House, body: Any, param: str) -> None:
    told = await asked(house, "POST", "/v1/prompts", body, key=await repository_key(house))
    assert (told.status_code, told.json()["error"]["param"]) == (400, param)
    assert await versions(house) == 0


async def test_prompts_are_listed_in_pages(house: House) -> None:
    key = await repository_key(house)
    body = {"files": [file(f"p{number:03}", "One.") for number in range(205)]}
    assert (await asked(house, "POST", "/v1/prompts", body, key=key)).status_code == 200
    first = (await asked(house, "GET", "/v1/prompts", key=key)).json()
    assert (len(first["data"]), first["has_more"]) == (200, True)
    told = await greenroom(house, "list", key=key)
    assert "p204" in told.output


async def test_the_command_says_what_the_server_says(house: House, tmp_path: Path) -> None:
    async def said(*arguments: str, key: str) -> str:
        told = await greenroom(house, *arguments, key=key)
        assert isinstance(told.exception, GreenroomError), told.output
        return str(told.exception)

    assert "Incorrect API key" in await said("list", key="gr_wrong_and_long_enough")
    assert "GREENROOM_API_KEY is not set" in await said("list", key="")
    assert "no prompt named 'gone'" in await said(
        "pull", "gone", "--to", str(tmp_path), key=await repository_key(house)
    )
    assert "for an application" in await said("list", key=house.key)
    assert "one project" in await said("list", "--project", "x", key=house.key)

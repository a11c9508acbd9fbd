"""Prompts under attack: another project's, two people at the same moment, texts and files made to break something."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest
from sqlmodel import Session, select

from core.db.engine import Database
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.ids import Ids
from core.people.rules import Principal
from core.prompts import actions, files, queries
from core.prompts.files import PromptFile
from core.prompts.tables import PromptMove, PromptRequest, PromptVersion
from core.prompts.versions import Content, Variable
from tests.prompts.shelf import ANN, BEN, EVE, ROOT, Shelf, content
from tests.review.test_attacks import at_once

Verb = Callable[[Session, Shelf, Principal, int, int], Any]
HOSTILE = ("a\0b", "lone \ud800 surrogate", "\u202eesrever \x1b[31m", "]({{ x }})<script>", "x" * 3_000)


@pytest.fixture
def shelf(store_url: str, ids: Ids, at: datetime) -> Any:
    db = Database(store_url, pool_size=8)
    yield Shelf(db, ids, at)
    db.close()


def _of_prompt(action: Any, **told: Any) -> Verb:
    return lambda session, shelf, by, prompt, request: action(session, prompt_id=prompt, by=by, at=shelf.at, **told)


def _with_ids(action: Any, **told: Any) -> Verb:
    return lambda s, shelf, by, prompt, request: action(
        s, prompt_id=prompt, by=by, at=shelf.at, ids=shelf.ids, label="production", **told
    )


VERBS: dict[str, Verb] = {
    "save": _of_prompt(actions.save, content=content("Mine.")),
    "describe": _of_prompt(actions.describe, description="Mine.", tags=()),
    "archive": _of_prompt(actions.archive, is_archived=True),
    "move": _with_ids(actions.move, number=1),
    "roll back": _with_ids(actions.roll_back),
    "ask": _with_ids(actions.ask, number=1, note="Mine."),
    "decide": lambda s, shelf, by, prompt, request: actions.decide(
        s, request_id=request, is_approved=True, by=by, at=shelf.at, ids=shelf.ids
    ),
    "withdraw": lambda s, shelf, by, prompt, request: actions.withdraw(s, request_id=request, by=by, at=shelf.at),
}


@pytest.mark.parametrize("state", ["open", "decided"])
@pytest.mark.parametrize("name", VERBS)
def test_another_projects_prompt_is_not_there_for_any_verb(shelf: Shelf, name: str, state: str) -> None:
    prompt = shelf.create()
    shelf.protect()
    request = shelf.ask(prompt, 1)
    if state == "decided":  # that it was, and by whom, is nobody's business either
        shelf.decide(request)
    with pytest.raises(NotFound) as told, shelf.db.write() as session:
        VERBS[name](session, shelf, EVE, prompt, request)
    assert "Ben" not in str(told.value)


@pytest.mark.parametrize("verb", ["create", "push", "protect"])
def test_nothing_is_made_in_another_project(shelf: Shelf, verb: str) -> None:
    told: dict[str, Any] = {"project_id": 1, "by": EVE, "at": shelf.at}
    given = {
        "create": {"name": "mine", "content": content()},
        "push": {"file": PromptFile("mine", content())},
        "protect": {"label": "production", "is_protected": True},
    }
    with pytest.raises(NotAllowed), shelf.db.write() as session:
        getattr(actions, verb)(session, **told, **given[verb])


def test_a_label_is_protected_in_no_project_that_is_not_there(shelf: Shelf) -> None:
    with pytest.raises(NotFound), shelf.db.write() as session:
        actions.protect(session, project_id=99, label="a", is_protected=True, by=ROOT, at=shelf.at)


def test_an_included_prompt_of_another_project_is_not_found(shelf: Shelf) -> None:
    shelf.create("secret", content("Hidden."))
    with shelf.db.write() as session:
        from core.people.tables import Project

        session.add(Project(id=7, name="other", created_at=shelf.at))
    with pytest.raises(NotFound):
        shelf.create("mine", content('{% include "secret" %}'), by=EVE, project_id=7)


def test_versions_kept_at_the_same_moment_have_numbers_of_their_own_without_gaps(shelf: Shelf) -> None:
    prompt = shelf.create()

    def save(number: int) -> int:
        with shelf.db.write() as session:
            made = content(f"Text {number}.")
            return actions.save(session, prompt_id=prompt, content=made, by=ANN, at=shelf.at).number

    found = at_once(*(lambda n=n: save(n) for n in range(8)))
    assert sorted(found) == list(range(2, 10))
    with shelf.db.read() as session:
        assert sorted(session.exec(select(PromptVersion.number)).all()) == list(range(1, 10))
    assert (shelf.view(prompt).newest, shelf.view(prompt).latest) == (9, 9)


def test_one_file_pushed_by_many_at_once_is_one_prompt(shelf: Shelf) -> None:
    def push() -> Any:
        with shelf.db.write() as session:
            file = PromptFile("new", content())
            return actions.push(session, project_id=1, file=file, by=ANN, at=shelf.at).number

    found = at_once(*[push] * 4)
    assert {one for one in found if not isinstance(one, Conflict)} == {1}


def test_a_label_moved_by_many_at_once_names_the_last_and_every_move_follows_the_one_before(shelf: Shelf) -> None:
    prompt = shelf.create()
    for number in range(2, 7):
        shelf.save(prompt, content(f"Text {number}."))

    def move(number: int) -> bool:
        with shelf.db.write() as session:
            told: dict[str, Any] = {"prompt_id": prompt, "label": "staging", "number": number, "by": ANN}
            return actions.move(session, at=shelf.at, ids=shelf.ids, **told)

    at_once(*(lambda n=n: move(n) for n in range(1, 7)))
    with shelf.db.read() as session:
        moves = session.exec(select(PromptMove)).all()
    assert len(moves) == 6
    after = {one.before: one.after for one in moves}
    at, chain = None, []
    while at in after:
        at = after.pop(at)
        chain.append(at)
    assert sorted(chain) == list(range(1, 7))
    assert shelf.view(prompt).labels == {"staging": chain[-1]}


def test_one_request_is_decided_once_and_asked_once_however_many_try(shelf: Shelf) -> None:
    prompt = shelf.create()
    shelf.protect()

    def ask(by: Principal) -> int:
        with shelf.db.write() as session:
            told: dict[str, Any] = {"label": "production", "number": 1, "note": "Better.", "by": by}
            return actions.ask(session, prompt_id=prompt, at=shelf.at, ids=shelf.ids, **told)

    def decide(request: int, is_approved: bool) -> bool:
        with shelf.db.write() as session:
            told: dict[str, Any] = {"request_id": request, "is_approved": is_approved, "answer": "No.", "by": BEN}
            return actions.decide(session, at=shelf.at, ids=shelf.ids, **told)

    found = at_once(*(lambda by=by: ask(by) for by in (ANN, ROOT, ANN, ROOT)))
    (request,) = [one for one in found if isinstance(one, int)]
    with shelf.db.read() as session:
        asked_by = session.get_one(PromptRequest, request).asked_by
    assert asked_by in (ANN.actor, ROOT.actor)
    found = at_once(
        *(lambda yes=yes: decide(request, yes) for yes in (True, False, True)),
        lambda: ask(ANN),  # asking and deciding hold the same rows: neither waits for ever
        lambda: ask(ROOT),
    )
    decided = [one for one in found[:3] if not isinstance(one, Conflict)]
    assert len(decided) == 1
    assert shelf.view(prompt).labels == ({"production": 1} if decided[0] else {})


def test_a_label_protected_by_many_at_once_is_protected(shelf: Shelf) -> None:
    def protect(is_protected: bool) -> bool:
        with shelf.db.write() as session:
            told: dict[str, Any] = {"project_id": 1, "label": "production", "is_protected": is_protected}
            return actions.protect(session, by=ROOT, at=shelf.at, **told)

    assert sorted(at_once(*[lambda: protect(True)] * 4)) == [False, False, False, True]
    assert sorted(at_once(*[lambda: protect(False)] * 4)) == [False, False, False, True]


@pytest.mark.parametrize("words", HOSTILE, ids=[ascii(one)[:16] for one in HOSTILE])
def test_whatever_is_typed_is_kept_as_it_can_be_or_refused_in_a_sentence(shelf: Shelf, words: str) -> None:
    prompt = shelf.create()
    shelf.protect("guarded")
    texts: dict[str, Callable[[], Any]] = {
        "text": lambda: shelf.save(prompt, content(words)),
        "model": lambda: shelf.save(prompt, content(model=words)),
        "schema": lambda: shelf.save(prompt, content(schema=words)),
        "tools": lambda: shelf.save(prompt, content(tools=words)),
        "extra": lambda: shelf.save(prompt, content(extra={words: [words]})),
        "variable": lambda: shelf.save(
            prompt, content("{{ x }}", variables=(Variable("x", example=words, about=words, choices=(words,)),))
        ),
        "branch": lambda: shelf.save(prompt, content("b"), branch=words),
        "note": lambda: shelf.save(prompt, content("n"), note=words),
        "label": lambda: shelf.move(prompt, words, 1),
        "move's note": lambda: shelf.move(prompt, "staging", 1, note=words),
        "way back's note": lambda: shelf.roll_back(prompt, "staging", note=words),
        "request": lambda: shelf.ask(prompt, 1, label="guarded", note=words, evidence=(words,)),
        "name": lambda: shelf.create(words),
        "tags": lambda: shelf.create("tagged", tags=[words]),
        "description": lambda: shelf.create("described", description=words),
        "protection": lambda: shelf.protect(words),
    }
    for what, verb in texts.items():
        try:
            verb()
        except (Invalid, NotFound, Conflict):
            continue
        except Exception as error:
            raise AssertionError(what) from error
    with shelf.db.read() as session:
        for number in range(1, shelf.view(prompt).newest + 1):
            kept = queries.version(session, prompt, number, project_ids=[1])
            files.to_json(PromptFile("support", kept.content, note=kept.note))
            files.to_yaml(PromptFile("support", kept.content, note=kept.note))
        assert queries.prompts(session, project_ids=[1], words=words, folder=words, tag=words) == ()


HEAD = "greenroom: prompt/1\nname: a\nmodel: m\nmessages: [{role: user, text: Hi}]\n"


@pytest.mark.parametrize(
    "tail",
    [
        "extra: {a: 2020-01-01}", "extra: {a: .nan}", "extra: {a: .inf}", "extra: {1: x}", "extra: {a: !!binary aGk=}",
        "extra: {a: !!set {x}}", "extra: {a: 99999999999999999999999999}", 'extra: {a: "\\uD800"}', "extra: &a [*a]",
        "extra: {? [a] : b}", "extra: !!python/object/apply:os.system [ls]", "extra: {<<: *x}", "tags: [&x y, *x]",
        "parameters: {temperature: .nan}", "extra: {a: " + "[" * 300 + "]" * 300 + "}", "extra: " + "{a: " * 5_000,
        "note: \x00", "note: \x1b", "---\n---\n", "extra: {a: 1" + "0" * 5_000 + "}", "description: [1]",
    ],
    ids=lambda tail: ascii(tail)[:30],
)  # fmt: skip
def test_a_file_made_to_break_something_is_refused_in_a_sentence(tail: str) -> None:
    assert files.read(HEAD).name == "a"
    with pytest.raises(Invalid):
        files.read(HEAD + tail)


def test_what_a_file_may_say_can_be_kept(shelf: Shelf) -> None:
    file = files.read(HEAD + 'note: "a\\0b"\ndescription: "c\\0d"\nextra: {"e\\0f": ["g\\0h", 1.5, null, true]}')
    with shelf.db.write() as session:
        saved = actions.push(session, project_id=1, file=file, by=ANN, at=shelf.at)
    assert shelf.version(saved.prompt_id, 1).content.extra == {"ef": ["gh", 1.5, None, True]}
    with shelf.db.write() as session:
        again = actions.push(session, project_id=1, file=file, by=ANN, at=shelf.at)
    assert not again.is_new


def test_a_file_too_long_is_refused_before_it_is_read() -> None:
    began = time.perf_counter()
    with pytest.raises(Invalid, match="larger"):
        files.read("[" * (files.MOST_BYTES + 1))
    assert time.perf_counter() - began < 1


def test_no_content_is_kept_twice_because_of_what_no_database_takes(shelf: Shelf) -> None:
    prompt = shelf.create()
    first = shelf.save(prompt, content("a\0b"))
    again = shelf.save(prompt, Content("builtin/rules", content("ab").messages))
    assert (first.is_new, again.is_new) == (True, False)

"""Prompts in the store: versions never change, labels move, a protected one takes two people, back is one click."""

from __future__ import annotations

from datetime import datetime

import pytest

from core.audit import queries as trail
from core.db.engine import Database
from core.errors import Conflict, GreenroomError, Invalid, NotAllowed, NotFound
from core.ids import Ids
from core.people.rules import Principal, Role
from core.prompts import actions, included, queries, releases
from core.prompts.includes import reference
from tests.prompts.shelf import ANN, BEN, EVE, Shelf, content


@pytest.fixture
def shelf(db: Database, ids: Ids, at: datetime) -> Shelf:
    return Shelf(db, ids, at)


def test_a_version_is_kept_once_however_often_it_is_saved(shelf: Shelf) -> None:
    prompt = shelf.create()
    again = shelf.save(prompt, content())
    other = shelf.save(prompt, content("You are brief."), note="Shorter.")
    assert (again.number, again.is_new) == (1, False)
    assert (other.number, other.is_new) == (2, True)
    back = shelf.save(prompt, content())
    assert (back.number, back.is_new) == (3, True)  # what the newest says counts, not what was once said
    view = shelf.view(prompt)
    assert (view.newest, view.latest, view.changed_by) == (3, 3, ANN.actor)
    assert shelf.version(prompt, 2).parent == 1


def test_a_branch_grows_beside_main_and_latest_stays_mains(shelf: Shelf) -> None:
    prompt = shelf.create()
    tried = shelf.save(prompt, content("You are bold."), branch="bold", parent=1)
    shelf.save(prompt, content("You are bolder."), branch="bold")
    view = shelf.view(prompt)
    assert (view.newest, view.latest) == (3, 1)
    assert shelf.version(prompt, tried.number).branch == "bold"
    assert shelf.version(prompt, 3).parent == 2
    with shelf.db.read() as session:
        assert queries.branches(session, prompt, project_ids=[1]) == (("main", 1), ("bold", 3))


def test_who_saves_over_somebody_else_is_told(shelf: Shelf) -> None:
    prompt = shelf.create()
    shelf.save(prompt, content("You are bold."), by=BEN)
    with pytest.raises(Conflict, match="version 2") as told:
        shelf.save(prompt, content("You are shy."), expected_newest=1)
    assert told.value.code == "prompt_changed"


def test_a_label_names_one_version_and_its_moves_are_kept(shelf: Shelf) -> None:
    prompt = shelf.create()
    shelf.save(prompt, content("Two."))
    assert shelf.move(prompt, "production", 1)
    assert not shelf.move(prompt, "production", 1)
    shelf.move(prompt, "production", 2, note="Better on refunds.", expected=1)
    shelf.move(prompt, "staging", 2)
    shelf.move(prompt, "staging", None)
    assert shelf.view(prompt).labels == {"production": 2}
    with pytest.raises(Conflict, match="now names version 2"):
        shelf.move(prompt, "production", 1, expected=1)
    with pytest.raises(NotFound, match="no version 9"):
        shelf.move(prompt, "production", 9)
    with shelf.db.read() as session:
        told = queries.moves(session, prompt, project_ids=[1])
        actions_told = [event.action for event in trail.events(session, limit=50)]
    assert [(one.label, one.before, one.after) for one in told] == [
        ("staging", 2, None), ("staging", None, 2), ("production", 1, 2), ("production", None, 1),
    ]  # fmt: skip
    assert told[2].note == "Better on refunds."
    assert actions_told.count("prompt.label_moved") == 4


def test_going_back_twice_goes_back_two_steps(shelf: Shelf) -> None:
    prompt = shelf.create()
    for number, text in enumerate(("Two.", "Three."), 2):
        shelf.save(prompt, content(text))
        assert shelf.view(prompt).newest == number
    for number in (1, 2, 3):
        shelf.move(prompt, "production", number)
    assert shelf.roll_back(prompt) == 2
    assert shelf.roll_back(prompt) == 1
    with pytest.raises(NotFound, match="nothing left to go back to"):
        shelf.roll_back(prompt)
    with pytest.raises(Conflict):
        shelf.roll_back(prompt, expected=3)


def test_a_protected_label_takes_a_second_person(shelf: Shelf) -> None:
    prompt = shelf.create()
    shelf.move(prompt, "production", 1)
    shelf.save(prompt, content("Two."))
    assert shelf.protect()
    with pytest.raises(Conflict, match="two people") as told:
        shelf.move(prompt, "production", 2)
    assert told.value.code == "label_protected"
    with pytest.raises(Conflict):
        shelf.move(prompt, "production", None)
    with pytest.raises(Invalid, match="Say why"):
        shelf.ask(prompt, 2, note=" ")
    request = shelf.ask(prompt, 2, evidence=["run_7"])
    with pytest.raises(Conflict, match="asked to move"):
        shelf.ask(prompt, 2, by=BEN)
    with pytest.raises(NotAllowed, match="yourself"):
        shelf.decide(request, by=ANN)
    assert shelf.decide(request, by=BEN)
    assert shelf.view(prompt).labels == {"production": 2}
    with pytest.raises(Conflict, match="approved already"):
        shelf.decide(request, by=BEN)
    with shelf.db.read() as session:
        (told_request,) = queries.requests(session, project_ids=[1])
        (moved, *_) = queries.moves(session, prompt, project_ids=[1])
    assert (told_request.state, told_request.decided_by, told_request.evidence) == ("approved", BEN.actor, ("run_7",))
    assert moved.request_id == request
    assert shelf.roll_back(prompt) == 1  # one person is enough to go back


def test_a_request_is_declined_with_a_reason_or_taken_back(shelf: Shelf) -> None:
    prompt = shelf.create()
    shelf.protect()
    request = shelf.ask(prompt, 1)
    with pytest.raises(Invalid, match="why not"):
        shelf.decide(request, False)
    assert not shelf.decide(request, False, answer="It asks for names.")
    assert shelf.view(prompt).labels == {}
    again = shelf.ask(prompt, 1)
    with shelf.db.write() as session, pytest.raises(NotAllowed):
        releases.withdraw(session, request_id=again, by=BEN, at=shelf.at)
    with shelf.db.write() as session:
        releases.withdraw(session, request_id=again, by=ANN, at=shelf.at)
    shelf.ask(prompt, 1)


def test_a_request_for_a_label_that_moved_meanwhile_moves_nothing(shelf: Shelf) -> None:
    prompt = shelf.create()
    shelf.save(prompt, content("Two."))
    shelf.save(prompt, content("Three."))
    shelf.move(prompt, "production", 1)
    shelf.protect()
    assert shelf.decide(shelf.ask(prompt, 2), by=BEN)
    request = shelf.ask(prompt, 3)
    shelf.roll_back(prompt)
    with pytest.raises(Conflict, match="meanwhile"):
        shelf.decide(request)
    assert shelf.view(prompt).labels == {"production": 1}


def test_one_person_does_not_go_back_behind_the_protection_of_a_label(shelf: Shelf) -> None:
    prompt = shelf.create()
    shelf.save(prompt, content("Two."))
    shelf.move(prompt, "production", 2)
    shelf.move(prompt, "production", 1)
    shelf.protect()
    with pytest.raises(Conflict, match="before it was protected") as told:
        shelf.roll_back(prompt)
    assert told.value.code == "label_protected"
    assert shelf.decide(shelf.ask(prompt, 2), by=BEN)
    assert shelf.roll_back(prompt) == 1, "what it named when it was protected"
    shelf.protect(is_protected=False)
    assert shelf.roll_back(prompt) == 2, "unprotected, it goes back as far as it likes"


def test_only_who_may_change_the_project_lifts_a_protection(shelf: Shelf) -> None:
    shelf.protect()
    with pytest.raises(NotAllowed):
        shelf.protect(is_protected=False, by=ANN)


def test_included_prompts_are_pinned_when_a_version_is_kept(shelf: Shelf) -> None:
    tone = shelf.create("support/tone", content("Be {{ tone }}."))
    shelf.move(tone, "production", 1)
    made = content('Help. {% include "support/tone@production" %} {% include "support/tone" %}')
    prompt = shelf.create("support/refund", made)
    assert shelf.version(prompt, 1).pinned == {"support/tone@production": 1, "support/tone": 1}
    assert [one.name for one in shelf.version(prompt, 1).content.variables] == ["tone"]
    shelf.save(tone, content("Be curt."))
    with shelf.db.read() as session:
        said, fragments = included.ready(session, prompt, 1)
        assert included.users_of(session, "support/tone", project_id=1) == (("support/refund", 1),)
    assert fragments == {"support/tone@production": "Be {{ tone }}.", "support/tone": "Be {{ tone }}."}
    assert said.texts[0] == made.texts[0]
    again = shelf.save(prompt, made)  # the same words, and a newer tone
    assert again.is_new
    assert shelf.version(prompt, 2).pinned == {"support/tone@production": 1, "support/tone": 2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{% include "support" %}', "include itself"), ('{% include "gone" %}', "no prompt named"),
        ('{% include "support/tone@staging" %}', "no version labelled"), ('{% include "long" %}', "more than one"),
        ("".join(f'{{% include "p{n}" %}}' for n in range(21)), "at most 20"),
    ],
)  # fmt: skip
def test_what_cannot_be_included_is_refused_in_a_sentence(shelf: Shelf, text: str, said: str) -> None:
    shelf.create("support/tone")
    shelf.create("long", content("One.", "Two?"))
    with pytest.raises(GreenroomError, match=said):
        shelf.create("support", content(text))


def test_includes_end_at_a_depth(shelf: Shelf) -> None:
    shelf.create("p0", content("Deep."))
    for deep in range(1, 6):
        shelf.create(f"p{deep}", content(f'{{% include "p{deep - 1}" %}}'))
    with pytest.raises(Invalid, match="5 deep"):
        shelf.create("p6", content('{% include "p5" %}'))


def test_the_list_is_paged_by_name_and_found_by_folder_tag_and_words(shelf: Shelf) -> None:
    shelf.create("support/refund", tags=["money"], description="Answers about refunds.")
    shelf.create("support/deep/order")
    shelf.create("sales")
    with shelf.db.read() as session:
        told = {"project_ids": [1]}
        assert [row.name for row in queries.prompts(session, **told, limit=2)] == ["sales", "support/deep/order"]
        assert [row.name for row in queries.prompts(session, **told, after="sales", folder="support")] == [
            "support/deep/order", "support/refund",
        ]  # fmt: skip
        assert [row.name for row in queries.prompts(session, **told, tag="money")] == ["support/refund"]
        assert [row.name for row in queries.prompts(session, **told, words="REFUNDS answers")] == ["support/refund"]
        assert queries.prompts(session, project_ids=[7]) == ()
        assert queries.folders_and_tags(session, **told) == (("support", "support/deep"), ("money",))


def test_an_archived_prompt_is_out_of_use_and_nothing_of_it_is_lost(shelf: Shelf) -> None:
    prompt = shelf.create()
    shelf.move(prompt, "production", 1)
    shelf.protect()
    with pytest.raises(Conflict, match="protected"), shelf.db.write() as session:
        actions.archive(session, prompt_id=prompt, is_archived=True, by=ANN, at=shelf.at)
    shelf.protect(is_protected=False)
    with shelf.db.write() as session:
        actions.archive(session, prompt_id=prompt, is_archived=True, by=ANN, at=shelf.at)
    with shelf.db.read() as session:
        assert queries.book(session).entries == {}
        assert [row.name for row in queries.prompts(session, project_ids=[1], archived=True)] == ["support"]
    with pytest.raises(Conflict, match="already"):
        shelf.create()
    with shelf.db.write() as session:
        actions.archive(session, prompt_id=prompt, is_archived=False, by=ANN, at=shelf.at)
    with shelf.db.read() as session:
        assert queries.book(session).entry(1, "support").number(reference("support")) == 1


def test_another_projects_prompt_is_as_if_it_were_not_there(shelf: Shelf) -> None:
    prompt = shelf.create()
    for verb in (
        lambda: shelf.save(prompt, content("Mine."), by=EVE),
        lambda: shelf.move(prompt, "production", 1, by=EVE),
        lambda: shelf.roll_back(prompt, by=EVE),
        lambda: shelf.ask(prompt, 1, by=EVE),
    ):
        with pytest.raises(NotFound):
            verb()
    with shelf.db.read() as session, pytest.raises(NotFound):
        queries.version(session, prompt, 1, project_ids=[7])


def test_who_may_only_write_prompts_releases_none(shelf: Shelf) -> None:
    writer = Principal("person:rita", "Rita", grants={None: frozenset({Role.REVIEWER})})
    viewer = Principal("person:vic", "Vic", grants={None: frozenset({Role.VIEWER})})
    prompt = shelf.create(by=writer)
    with pytest.raises(NotAllowed):
        shelf.move(prompt, "production", 1, by=writer)
    with pytest.raises(GreenroomError):
        shelf.create("other", by=viewer)

"""Whoever is of another project, comes at the same moment or types what no database takes: nothing of it breaks."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlmodel import Session, select

from core.audit import queries as trail
from core.datasets import actions as datasets
from core.datasets import queries as examples
from core.datasets.rules import Kind
from core.db.engine import Database
from core.errors import Conflict, GreenroomError, Invalid, NotAllowed, NotFound
from core.guard import actions as guard
from core.ids import Ids
from core.people.rules import Principal, Role
from core.review import actions, bulk, counting, ends, gold, habits, queries, reported, reveal, rubrics
from core.review.rules import Lane, Said, State, Verdict
from core.review.tables import ReviewDecision, ReviewItem, ReviewSlot
from tests.guard.policies import on, rule
from tests.review.waiting import APPROVE, ESCALATE, LEAD, REJECT, Waiting, person

ANN, BOB, CLEO = person("ann"), person("bob"), person("cleo")
EVE = Principal("person:eve", "Eve", grants={7: frozenset(Role)})
"""Everything, in another project."""
HOSTILE = ("a\0b", "lone \ud800 surrogate", "\u202eesrever", "x" * 30_000)

Verb = Callable[[Session, Waiting, Principal], Any]


@pytest.fixture
def waiting(db: Database, ids: Ids, at: datetime) -> Waiting:
    """Twelve answers: the first decided and in force, the second in Ann's hands."""
    made = Waiting(db, ids, at).fill(12, service_level_s=600)
    for number in (0, 1):
        with db.write() as session:
            actions.claim(session, queue_id=made.queue_id, by=ANN, at=at)
            if number == 0:
                actions.decide(session, item_id=made.items[0], said=APPROVE, by=ANN, at=at, ids=ids)
    with db.write() as session:
        ends.release_due(session, at=at + timedelta(seconds=60))
    return made


def _of_item(action: Any, **told: Any) -> Verb:
    return lambda session, here, by: action(session, item_id=here.items[1], by=by, at=here.at, **told)


def _policy(session: Session, here: Waiting) -> int:
    told: dict[str, Any] = {"rules": [rule("flag", on("secret"))], "by": LEAD, "at": here.at}
    return guard.create(session, project_id=1, name="P", **told)


def _dataset(session: Session, here: Waiting) -> int:
    return datasets.create(session, project_id=1, name="D", by=LEAD, at=here.at).id or 0


def _call(session: Session, here: Waiting) -> int:
    return session.get_one(ReviewItem, here.items[0]).call_id


VERBS: dict[str, Verb] = {
    "send": lambda s, h, by: h.send(s, _call(s, h), by=by),
    "send all": lambda s, h, by: reported.send_all(
        s, queue_id=h.queue_id, call_ids=[_call(s, h)], reason="", by=by, at=h.at, ids=h.ids
    ),
    "claim": lambda s, h, by: actions.claim(s, queue_id=h.queue_id, by=by, at=h.at),
    "renew": _of_item(actions.renew),
    "pass on": _of_item(actions.pass_on),
    "put down": _of_item(actions.put_down),
    "decide": lambda s, h, by: actions.decide(s, item_id=h.items[1], said=APPROVE, by=by, at=h.at, ids=h.ids),
    "undo": _of_item(actions.undo),
    "appeal": lambda s, h, by: actions.appeal(s, item_id=h.items[0], reason="No.", by=by, at=h.at, ids=h.ids),
    "keep draft": _of_item(actions.keep_draft, state={}),
    "declare": _of_item(gold.declare, right=[Verdict.APPROVE]),
    "retire": _of_item(gold.retire),
    "expose": _of_item(habits.expose),
    "reveal": _of_item(reveal.reveal, reason="Because."),
    "change queue": lambda s, h, by: rubrics.change_queue(
        s, queue_id=h.queue_id, expected_version=1, changes={"reviewers": 2}, by=by, at=h.at
    ),
    "begin many": lambda s, h, by: bulk.begin(
        s, queue_id=h.queue_id, verdict=Verdict.APPROVE, meant=bulk.Filter(), by=by, at=h.at, ids=h.ids
    ),
    "look at one of many": lambda s, h, by: bulk.look(s, bulk_id=_begun(s, h), by=by, at=h.at),
    "go on with many": lambda s, h, by: bulk.go_on(s, bulk_id=_begun(s, h), by=by, at=h.at, ids=h.ids),
    "stop many": lambda s, h, by: bulk.stop(s, bulk_id=_begun(s, h), by=by, at=h.at),
    "change policy": lambda s, h, by: guard.change(
        s, policy_id=_policy(s, h), rules=[rule("refuse", on("secret"))], by=by, at=h.at
    ),
    "switch policy": lambda s, h, by: guard.switch(s, policy_id=_policy(s, h), is_on=True, by=by, at=h.at),
    "add example": lambda s, h, by: datasets.add(
        s, dataset_id=_dataset(s, h), kind=Kind.ITEM, messages=[{"role": "user", "content": "?"}], original="a",
        final="a", call_id=_call(s, h), by=by, at=h.at, ids=h.ids,
    ),
}  # fmt: skip


def _begun(session: Session, here: Waiting) -> int:
    told: dict[str, Any] = {"verdict": Verdict.APPROVE, "meant": bulk.Filter(), "by": LEAD, "ids": here.ids}
    return bulk.begin(session, queue_id=here.queue_id, at=here.at, **told).id


@pytest.mark.parametrize("name", VERBS)
def test_what_is_of_another_project_is_as_if_it_were_not_there(waiting: Waiting, name: str) -> None:
    with pytest.raises(NotFound), waiting.db.write() as session:
        VERBS[name](session, waiting, EVE)


@pytest.mark.parametrize(
    "make",
    [
        lambda s, h, told: rubrics.word(s, name="R", questions=[], reasons=[], policy_text="", **told),
        lambda s, h, told: rubrics.open_queue(s, name="Q", **told),
        lambda s, h, told: guard.create(s, name="P", rules=[], **told),
        lambda s, h, told: datasets.create(s, name="D", **told),
        lambda s, h, told: reveal.reveal_call(s, call_id=_call(s, h), reason="Because.", **told),
    ],
    ids=["rubric", "queue", "policy", "dataset", "reveal"],
)
def test_nothing_is_made_in_another_project(waiting: Waiting, make: Any) -> None:
    with pytest.raises(NotAllowed), waiting.db.write() as session:
        make(session, waiting, {"project_id": 1, "by": EVE, "at": waiting.at})


def test_things_of_two_projects_are_never_brought_together(waiting: Waiting) -> None:
    """A queue does not take another project's rubric or call, a dataset no other project's call."""
    with waiting.db.write() as session:
        session.execute(
            text("INSERT INTO project (id, name, created_at) SELECT 7, 'other', created_at FROM project WHERE id = 1")
        )
    by = Principal("person:root", "Root", grants={None: frozenset(Role)})
    with waiting.db.write() as session:
        there = rubrics.open_queue(session, project_id=7, name="There", by=by, at=waiting.at).id or 0
        dataset = datasets.create(session, project_id=7, name="D", by=by, at=waiting.at).id or 0
        told: dict[str, Any] = {"name": "R", "questions": [], "reasons": [], "policy_text": "", "at": waiting.at}
        rubric = rubrics.word(session, project_id=1, by=by, **told)
        call_id = _call(session, waiting)
    with pytest.raises(NotFound), waiting.db.write() as session:
        waiting.send(session, call_id, queue_id=there, by=by)
    change: dict[str, Any] = {"queue_id": there, "expected_version": 1, "changes": {"rubric_id": rubric}}
    with pytest.raises(NotFound), waiting.db.write() as session:
        rubrics.change_queue(session, by=by, at=waiting.at, **change)
    with pytest.raises(NotFound), waiting.db.write() as session:
        datasets.add(
            session, dataset_id=dataset, kind=Kind.ITEM, messages=[{"role": "user", "content": "?"}], original="a",
            final="a", call_id=call_id, by=by, at=waiting.at, ids=waiting.ids,
        )  # fmt: skip


def test_reads_of_another_project_find_nothing(waiting: Waiting) -> None:
    other: dict[str, Any] = {"project_ids": [7]}
    with waiting.db.read() as session:
        call_id = _call(session, waiting)
        with pytest.raises(NotFound):
            queries.item(session, waiting.items[0], by=EVE, at=waiting.at)
        with pytest.raises(NotFound):
            queries.queue_of(session, waiting.queue_id, **other)
        with pytest.raises(NotFound):
            examples.items(session, dataset_id=1, **other)
        assert counting.board(session, at=waiting.at, by=ANN, since=waiting.at, **other) == ()
        assert queries.closed(session, **other) == ()
        assert queries.of_call(session, call_id, **other) == ()
        assert queries.decided_by(session, by=ANN, **other) == ()
        assert reported.places(session, [call_id], **other) == {}
        assert bulk.begun(session, by=LEAD, **other) is None


def test_nobody_judges_their_own_appeal_or_disagreement(waiting: Waiting) -> None:
    boss = person("boss", Role.LEAD_REVIEWER)
    first, second = waiting.items[0], waiting.items[1]
    at = waiting.at + timedelta(seconds=70)
    with waiting.db.write() as session:
        actions.appeal(session, item_id=first, reason="No.", by=boss, at=at, ids=waiting.ids)
        assert actions.claim(session, queue_id=waiting.queue_id, by=boss, at=at, lane=Lane.APPEAL) is None
        with pytest.raises(Conflict):
            actions.decide(session, item_id=first, said=APPROVE, by=boss, at=at, ids=waiting.ids)
        actions.pass_on(session, item_id=second, by=ANN, at=at)
        taken = actions.claim(session, queue_id=waiting.queue_id, by=boss, at=at)
        assert taken is not None
        actions.decide(session, item_id=taken.item_id, said=ESCALATE, by=boss, at=at, ids=waiting.ids)
        assert actions.claim(session, queue_id=waiting.queue_id, by=boss, at=at, lane=Lane.ESCALATION) is None
        with pytest.raises(Conflict):
            actions.decide(session, item_id=taken.item_id, said=APPROVE, by=boss, at=at, ids=waiting.ids)


def test_many_at_once_leave_what_others_have_in_hand(waiting: Waiting) -> None:
    at = waiting.at
    with waiting.db.write() as session:
        made = bulk.begin(
            session, queue_id=waiting.queue_id, verdict=Verdict.APPROVE, meant=bulk.Filter(), by=LEAD, at=at,
            ids=waiting.ids, chance=random.Random(1),
        )  # fmt: skip
        assert waiting.items[1] not in made.sample
        number, sample = made.id, list(made.sample)
    for _ in sample:
        with waiting.db.write() as session:
            item = bulk.look(session, bulk_id=number, by=LEAD, at=at)
            actions.decide(session, item_id=item, said=APPROVE, by=LEAD, at=at, ids=waiting.ids)
    with waiting.db.write() as session:
        bob = actions.claim(session, queue_id=waiting.queue_id, by=BOB, at=at)
    assert bob is not None
    while True:
        with waiting.db.write() as session:
            if not bulk.go_on(session, bulk_id=number, by=LEAD, at=at, ids=waiting.ids):
                break
    with waiting.db.read() as session:
        by = dict(session.exec(select(ReviewDecision.item_id, ReviewDecision.reviewer)).all())
        held = {row.item_id: row.reviewer for row in session.exec(select(ReviewSlot)) if row.decided_at is None}
    assert held == {waiting.items[1]: ANN.actor, bob.item_id: BOB.actor}
    assert set(waiting.items) - by.keys() == held.keys()


@pytest.mark.parametrize("reason", ["", " \n\t", "\0", "\0 \0"])
def test_nothing_is_revealed_without_a_reason(waiting: Waiting, reason: str) -> None:
    told: dict[str, Any] = {"reason": reason, "by": ANN, "at": waiting.at}
    with pytest.raises(Invalid), waiting.db.write() as session:
        reveal.reveal(session, item_id=waiting.items[1], **told)
    with pytest.raises(Invalid), waiting.db.write() as session:
        reveal.reveal_call(session, call_id=_call(session, waiting), project_id=1, **told)


def _typed(words: str) -> Iterator[tuple[str, Verb]]:
    def rubric(s: Session, h: Waiting, **told: Any) -> int:
        given = {"name": "R", "questions": [], "reasons": [], "policy_text": ""} | told
        return rubrics.word(s, project_id=1, by=LEAD, at=h.at, **given)

    def many(s: Session, h: Waiting, **told: Any) -> Any:
        meant = bulk.Filter(**told)
        bulk.meeting(s, queue_id=h.queue_id, meant=meant, by=LEAD, at=h.at)
        kind: dict[str, Any] = {"verdict": Verdict.APPROVE, "by": LEAD, "at": h.at, "ids": h.ids}
        return bulk.begin(s, queue_id=h.queue_id, meant=meant, **kind)

    def said(s: Session, h: Waiting, **told: Any) -> Any:
        told = {"verdict": Verdict.REJECT, "comment": "No."} | told
        return actions.decide(s, item_id=h.items[1], said=Said(**told), by=ANN, at=h.at, ids=h.ids)

    def policy(s: Session, h: Waiting, **told: Any) -> int:
        given = {"name": "P", "rules": [rule("flag", on("secret"))]} | told
        return guard.create(s, project_id=1, by=LEAD, at=h.at, **given)

    yield "send", lambda s, h, by: h.send(s, h.unsent[0], reason=words, policy=words)
    yield "pass on", _of_item(actions.pass_on, why=words)
    yield "draft", _of_item(actions.keep_draft, state={"text": words, words: [words]})
    yield "reveal", _of_item(reveal.reveal, reason=words)
    yield "appeal", lambda s, h, by: actions.appeal(s, item_id=h.items[0], reason=words, by=by, at=h.at, ids=h.ids)
    yield "comment", lambda s, h, by: said(s, h, comment=words)
    yield "edit", lambda s, h, by: said(s, h, verdict=Verdict.EDIT, edited=words)
    yield "reasons", lambda s, h, by: said(s, h, reasons=(words,))
    yield "scores", lambda s, h, by: said(s, h, scores={words: words})
    yield "rubric's name", lambda s, h, by: rubric(s, h, name=words)
    yield "rubric's policy", lambda s, h, by: rubric(s, h, policy_text=words)
    yield "rubric's question", lambda s, h, by: rubric(s, h, questions=[{"name": words, "hint": words}])
    yield (
        "rubric's choices",
        lambda s, h, by: rubric(s, h, questions=[{"name": "q", "kind": "choice", "options": ["a", words]}]),
    )
    yield "rubric's reason", lambda s, h, by: rubric(s, h, reasons=[{"code": words, "meaning": words}])
    yield (
        "rubric's lines",
        lambda s, h, by: rubrics.word_lines(
            s, project_id=1, name="R", questions=words, reasons=words, policy_text=words, by=LEAD, at=h.at
        ),
    )
    yield "queue's name", lambda s, h, by: rubrics.open_queue(s, project_id=1, name=words, by=LEAD, at=h.at)
    for name in ("source", "policy", "reason"):
        yield f"many by {name}", lambda s, h, by, name=name: many(s, h, **{name: words})
    yield "policy's name", lambda s, h, by: policy(s, h, name=words)
    yield "policy's note", lambda s, h, by: policy(s, h, note=words)
    yield "policy's words", lambda s, h, by: policy(s, h, rules=[rule("flag", on("word"))], settings={"words": [words]})
    yield "policy's route", lambda s, h, by: policy(s, h, routes=[words])
    yield "dataset's name", lambda s, h, by: datasets.create(s, project_id=1, name=words, by=LEAD, at=h.at)
    yield "example", lambda s, h, by: datasets.add(
        s, dataset_id=_dataset(s, h), kind=Kind.ITEM, messages=[{"role": "user", "content": words}], original=words,
        final=words, call_id=_call(s, h), by=LEAD, at=h.at, ids=h.ids,
    )  # fmt: skip


@pytest.mark.parametrize("what", [name for name, _ in _typed("")])
@pytest.mark.parametrize("words", HOSTILE, ids=[ascii(one)[:20] for one in HOSTILE])
def test_whatever_is_typed_is_kept_or_refused_in_a_sentence(waiting: Waiting, what: str, words: str) -> None:
    verb = dict(_typed(words))[what]
    waiting.open(1, name="Other")
    waiting.queue_id -= 1
    with suppress(NotFound, Invalid, Conflict), waiting.db.write() as session:
        verb(session, waiting, ANN)
    with waiting.db.read() as session:
        assert trail.events(session, limit=1)


def at_once(*doing: Callable[[], Any]) -> list[Any]:
    """What each gave, or the sentence it was refused with; anything else fails the test."""
    gate, found = threading.Barrier(len(doing)), [None] * len(doing)

    def run(number: int, what: Callable[[], Any]) -> None:
        gate.wait(20)
        try:
            found[number] = what()
        except BaseException as error:
            found[number] = error

    threads = [threading.Thread(target=run, args=told) for told in enumerate(doing)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not [one for one in found if isinstance(one, BaseException) and not isinstance(one, GreenroomError)]
    return found


def test_two_who_decide_one_item_at_once_are_one_verdict_and_one_sentence(waiting: Waiting) -> None:
    def decide(said: Said) -> Any:
        with waiting.db.write() as session:
            return actions.decide(
                session, item_id=waiting.items[1], said=said, by=ANN, at=waiting.at, ids=waiting.ids
            ).verdict

    found = at_once(*(lambda said=said: decide(said) for said in (APPROVE, REJECT, APPROVE, REJECT)))
    assert sum(isinstance(one, Conflict) for one in found) == 3
    with waiting.db.read() as session:
        assert session.get_one(ReviewItem, waiting.items[1]).state == State.SETTLED


def test_two_who_change_a_queue_at_once_do_not_overwrite_each_other(waiting: Waiting) -> None:
    def change(reviewers: int) -> int:
        with waiting.db.write() as session:
            told = {"queue_id": waiting.queue_id, "expected_version": 1, "changes": {"reviewers": reviewers}}
            return rubrics.change_queue(session, by=LEAD, at=waiting.at, **told).version

    found = at_once(lambda: change(2), lambda: change(3))
    assert sorted(type(one) for one in found if isinstance(one, Conflict)) == [Conflict]


def test_two_who_make_the_same_name_at_once_are_told(waiting: Waiting) -> None:
    told: dict[str, Any] = {"project_id": 1, "name": "Same", "by": LEAD, "at": waiting.at}

    def make(verb: Any, **more: Any) -> Any:
        with waiting.db.write() as session:
            verb(session, **told, **more)

    for verb, more in (
        (rubrics.open_queue, {}),
        (datasets.create, {}),
        (guard.create, {"rules": [rule("flag", on("secret"))]}),
    ):
        found = at_once(*[lambda verb=verb, more=more: make(verb, **more)] * 3)
        assert sum(isinstance(one, Conflict) for one in found) == 2
    given: dict[str, Any] = {"questions": [], "reasons": [], "policy_text": ""}
    at_once(*[lambda: make(rubrics.word, **given)] * 3)  # worded three times over
    with waiting.db.read() as session:
        (row,) = rubrics.rubrics(session, project_ids=[1])
    assert row.version == 3


def test_two_who_send_one_answer_at_once_are_one_item(waiting: Waiting) -> None:
    waiting.open(1, name="Other")

    def send() -> None:
        with waiting.db.write() as session:
            waiting.send(session, waiting.unsent[0])

    found = at_once(*[send] * 3)
    assert sum(isinstance(one, Conflict) for one in found) == 2


@pytest.mark.parametrize("number", [0, -1, 2**63 - 1])
def test_an_id_of_nothing_is_nothing(waiting: Waiting, number: int) -> None:
    told: dict[str, Any] = {"item_id": number, "by": ANN, "at": waiting.at}
    for verb in (actions.renew, actions.pass_on, actions.put_down, habits.expose):
        with pytest.raises(NotFound), waiting.db.write() as session:
            verb(session, **told)

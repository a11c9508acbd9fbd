"""From a question to a vote: what is put before whom, what they learn when, and what stays."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest
from sqlmodel import select

from core.audit.tables import AuditEvent
from core.errors import Conflict, Invalid, NotAllowed, NotFound
from core.statistics.votes import Choice
from core.votes import actions, making, queries, sums
from core.votes.rules import Entrant, Question, State
from core.votes.tables import ComparePair
from tests.prompts.shelf import Shelf
from tests.votes.arena import BEN, CAT, EVE, GOOD_FOR, LEAD, SEES, Arena, asks


def pairs(arena: Arena) -> list[ComparePair]:
    with arena.db.read() as session:
        return list(session.exec(select(ComparePair).order_by(ComparePair.id)))  # type: ignore[arg-type]


def test_before_a_vote_nothing_tells_whose_answer_it_is(arena: Arena) -> None:
    number = arena.ready("vendor/model-x", "vendor/model-y")
    seen = arena.unvoted(arena.serve(number))
    assert {field.name for field in dataclasses.fields(seen)} == {
        "id",
        "messages",
        "variables",
        "left",
        "right",
        "expires_at",
    }
    assert "model-" not in repr(seen)
    assert arena.voted(number) == ()


def test_after_a_vote_names_are_told_and_the_vote_stays(arena: Arena) -> None:
    number = arena.ready()
    pair_id = arena.serve(number, side=0.9)
    arena.vote(pair_id, Choice.RIGHT, reasons=["clearer"], comment=" Much  better. ")
    (found,) = arena.voted(number, pair_id=pair_id)
    assert (found.left_name, found.right_name) == ("m/b", "m/a")
    assert (found.choice, found.reasons, found.comment, found.seconds) == (
        Choice.RIGHT, ("clearer",), "Much better.", 1.0,
    )  # fmt: skip
    with pytest.raises(Conflict) as caught:
        arena.vote(pair_id, Choice.LEFT)
    assert caught.value.code == "voted"
    with pytest.raises(NotFound):
        arena.unvoted(pair_id)
    assert arena.voted(number, pair_id=pair_id)[0].choice is Choice.RIGHT


def test_names_stay_hidden_until_the_comparison_is_closed(arena: Arena) -> None:
    number = arena.ready(stays_hidden=True)
    pair_id = arena.serve(number)
    arena.vote(pair_id)
    found = arena.voted(number, pair_id=pair_id)[0]
    assert (found.left_name, found.left_model, found.left_call) == ("", "", None)
    arena.do(actions.switch, number, is_open=False)
    assert arena.voted(number)[0].left_name == "m/a"


def test_a_side_is_drawn_and_the_draw_is_kept(arena: Arena) -> None:
    number = arena.ready()
    arena.serve(number, BEN, side=0.49)
    arena.serve(number, CAT, side=0.5)
    one, other = pairs(arena)
    assert (one.draw, one.left_id == one.low_id) == (0.49, True)
    assert (other.draw, other.left_id == other.low_id) == (0.5, False)


def test_a_second_tab_gets_the_same_pair(arena: Arena) -> None:
    number = arena.ready()
    assert arena.serve(number) == arena.serve(number, pair=0.9, question=0.9, side=0.9)


def test_nobody_votes_on_what_was_put_before_another(arena: Arena) -> None:
    pair_id = arena.serve(arena.ready())
    with pytest.raises(Conflict) as caught:
        arena.vote(pair_id, by=CAT)
    assert caught.value.code == "not_your_pair"
    with pytest.raises(NotFound):
        arena.unvoted(pair_id, by=CAT)


def test_a_pair_of_long_ago_is_looked_at_again_before_it_is_voted_on(arena: Arena) -> None:
    number = arena.ready()
    pair_id = arena.serve(number)
    arena.later(GOOD_FOR)
    with pytest.raises(Conflict) as caught:
        arena.vote(pair_id)
    assert caught.value.code == "pair_expired"
    assert arena.serve(number) == pair_id
    arena.vote(pair_id)
    assert arena.voted(number)[0].seconds == 1.0


def test_a_pair_passed_over_does_not_come_back(arena: Arena) -> None:
    number = arena.ready(questions=["one?"])
    pair_id = arena.serve(number)
    arena.skip(pair_id)
    assert arena.serve(number) is None
    with pytest.raises(Conflict):
        arena.vote(pair_id)
    assert arena.view(number).votes == 0


def test_an_answer_that_was_named_is_not_put_before_the_same_person_again(arena: Arena) -> None:
    number = arena.ready("m/a", "m/b", "m/c", questions=["one?"])
    arena.vote(arena.serve(number))
    assert arena.serve(number) is None, "the third answer could only meet one that they know"
    assert arena.serve(number, CAT) is not None


def test_where_names_stay_hidden_every_pair_of_answers_comes_once(arena: Arena) -> None:
    number = arena.ready("m/a", "m/b", "m/c", questions=["one?", "two?"], stays_hidden=True)
    seen = []
    while (pair_id := arena.serve(number)) is not None:
        arena.vote(pair_id)
        seen.append(pair_id)
    assert len(seen) == 6
    assert len({(one.question_id, one.low_id, one.high_id) for one in pairs(arena)}) == 6


def test_the_next_pair_is_the_one_a_vote_teaches_most_about(arena: Arena) -> None:
    number = arena.ready("m/a", "m/b", "m/c", questions=[f"{one}?" for one in range(8)])
    low = arena.view(number).contestants
    for voter in (BEN, CAT):
        for _ in range(2):
            arena.vote(arena.serve(number, voter), by=voter)
    met = {(one.low_id, one.high_id) for one in pairs(arena)}
    assert {number for pair in met for number in pair} == {one.id for one in low}, "who was never seen comes first"


def test_equal_answers_are_no_pair_and_counted(arena: Arena) -> None:
    number = arena.ready(questions=["one?", "two?"], says=lambda model, asked: "Yes. " if asked == "one?" else model)
    (low, high) = (one.id for one in arena.view(number).contestants)
    assert arena.read(sums.identical, number) == {(low, high): 1}
    arena.vote(arena.serve(number))
    assert arena.serve(number) is None
    assert arena.voted(number)[0].messages[0]["content"] == "two?"


def test_a_constant_contestant_is_flagged(arena: Arena) -> None:
    number = arena.ready(
        questions=["one?", "two?", "three?"], says=lambda model, asked: "42" if model == "m/a" else asked
    )
    one, other = arena.read(sums.flagged, number)
    assert (one.is_constant, one.same, one.ready) == (True, 3, 3)
    assert not other.is_constant


def test_an_answer_that_names_its_model_is_flagged_and_its_votes_can_be_left_out(arena: Arena) -> None:
    says = {"m/star-7b": "I am star-7b.", "m/b": "I am an assistant."}
    number = arena.ready(*says, questions=["one?"], says=lambda model, _: says[model])
    arena.vote(arena.serve(number))
    assert [one.named for one in arena.read(sums.flagged, number)] == [1, 0]
    assert arena.voted(number)[0].is_named
    assert [vote.times for vote in arena.read(sums.by_voter, number)] == [1]
    assert arena.read(sums.by_voter, number, with_named=False) == []
    assert [one.named for one in arena.read(making.answers, comparison=arena.view(number), only_named=True)] == [
        ("star-7b",)
    ]


def test_the_model_that_served_an_alias_gives_it_away_too(arena: Arena) -> None:
    number = arena.create("fast", "slow", questions=["one?"])
    arena.answer(lambda model, _: f"Nova-2 says {model}", served=["vendor/nova-2"])
    assert [one.named for one in arena.read(sums.flagged, number)] == [1, 1]


def test_a_failed_answer_is_not_voted_on_until_it_is_asked_again(arena: Arena) -> None:
    number = arena.ready(questions=["one?"], says=lambda model, _: "" if model == "m/b" else "Yes.")
    assert arena.view(number).made == queries.Made(ready=1, failed=1)
    assert arena.serve(number) is None
    (failed,) = arena.read(making.answers, comparison=arena.view(number), state=State.FAILED)
    assert failed.error == "It is down."
    assert arena.do(actions.retry, number) == 1
    arena.answer()
    assert arena.serve(number) is not None


def test_an_answer_is_taken_once_and_given_back_when_its_lease_is_over(arena: Arena) -> None:
    arena.create(questions=["one?"])
    with arena.db.write() as session:
        assert len(making.take(session, at=arena.later(), limit=9)) == 2
        assert making.take(session, at=arena.later(), limit=9) == []
        late = arena.later(making.LEASE)
        (task, _) = making.take(session, at=late, limit=9)
        told = {"error": "", "call_id": None, "served": (), "at": late}
        assert making.settle(session, task, text="First.", **told)
        assert not making.settle(session, task, text="Second.", **told)


def test_an_answer_is_asked_as_the_contestant_says(arena: Arena) -> None:
    arena.create(contestants=[Entrant("a", "m/a", {"temperature": 0.5}), Entrant("b", "m/b")], questions=["one?"])
    with arena.db.write() as session:
        bodies = [task.body for task in making.take(session, at=arena.later(), limit=9)]
    messages = [{"role": "user", "content": "one?"}]
    assert bodies == [
        {"temperature": 0.5, "model": "m/a", "messages": messages},
        {"model": "m/b", "messages": messages},
    ]


def test_a_version_that_is_not_there_cannot_contend(arena: Arena) -> None:
    Shelf(arena.db, arena.ids, arena.at).create("support")
    assert arena.create("prompt:support@1", "m/b")
    with pytest.raises(NotFound):
        arena.create("prompt:support@2", "m/b", name="Other")


def test_a_question_asked_twice_is_one(arena: Arena) -> None:
    number = arena.create(questions=["one?", "one?"])
    assert arena.do(actions.ask, number, questions=asks("one?", "two?"), ids=arena.ids) == 1
    assert arena.view(number).questions == 2
    with pytest.raises(Invalid, match="at most 200"):
        arena.do(actions.ask, number, questions=asks(*map(str, range(199))), ids=arena.ids)


def test_a_question_keeps_where_it_comes_from(arena: Arena) -> None:
    number = arena.create(questions=["one?"])
    arena.do(actions.ask, number, questions=[Question(({"role": "user", "content": "x"},), "call_1")], ids=arena.ids)
    arena.answer()
    arena.vote(arena.serve(number, question=0.9))
    assert arena.voted(number)[0].source == "call_1"


def test_a_comparison_that_asks_nothing_is_refused(arena: Arena) -> None:
    with pytest.raises(Invalid, match="Nothing is asked"):
        arena.create(questions=())


def test_a_closed_comparison_takes_no_vote_and_asks_nothing_more(arena: Arena) -> None:
    number = arena.ready()
    pair_id = arena.serve(number)
    assert arena.do(actions.switch, number, is_open=False)
    for late in (lambda: arena.vote(pair_id), lambda: arena.serve(number), lambda: arena.do(actions.retry, number)):
        with pytest.raises(Conflict) as caught:
            late()
        assert caught.value.code == "comparison_closed"
    assert arena.do(actions.switch, number, is_open=True)
    arena.vote(pair_id)


def test_only_those_who_were_admitted_vote(arena: Arena) -> None:
    number = arena.ready(voters=[CAT.actor])
    with pytest.raises(NotAllowed):
        arena.serve(number)
    assert arena.serve(number, CAT) is not None
    assert arena.do(actions.admit, number, voters=[])
    assert arena.serve(number) is not None


def test_a_comparison_of_another_project_is_not_there(arena: Arena) -> None:
    number = arena.ready()
    pair_id = arena.serve(number)
    for wrong in (
        lambda: arena.serve(number, EVE),
        lambda: arena.vote(pair_id, by=EVE),
        lambda: arena.do(actions.switch, number, EVE, is_open=False),
        lambda: arena.read(queries.comparison, number, project_ids=[7]),
    ):
        with pytest.raises(NotFound):
            wrong()


def test_rights_are_asked_for_each_verb(arena: Arena) -> None:
    number = arena.ready()
    with pytest.raises(NotAllowed):
        arena.serve(number, SEES)
    for verb, told in ((actions.switch, {"is_open": False}), (actions.admit, {"voters": []}), (actions.retry, {})):
        with pytest.raises(NotAllowed):
            arena.do(verb, number, BEN, **told)
    with pytest.raises(NotAllowed):
        arena.create(by=BEN, name="Mine")


def test_a_reason_nobody_offered_is_refused(arena: Arena) -> None:
    pair_id = arena.serve(arena.ready(reasons=["clearer"]))
    with pytest.raises(Invalid, match="no such reason"):
        arena.vote(pair_id, reasons=["shorter"])


def test_while_it_is_open_people_read_their_own_votes_and_leads_read_all(arena: Arena) -> None:
    number = arena.ready()
    for voter in (BEN, CAT):
        arena.vote(arena.serve(number, voter), by=voter)
    assert [one.voter for one in arena.voted(number)] == [BEN.actor]
    assert len(arena.voted(number, LEAD)) == 2
    (low, high) = (one.id for one in arena.view(number).contestants)
    assert len(arena.voted(number, LEAD, cell=(high, low))) == 2
    arena.do(actions.switch, number, is_open=False)
    assert len(arena.voted(number)) == 2


def test_sums_are_what_single_votes_add_up_to(arena: Arena) -> None:
    number = arena.ready("m/a", "m/b", questions=["one?", "two?", "three?"])
    said = (
        (BEN, (Choice.LEFT, Choice.TIE, Choice.BOTH_BAD)),
        (CAT, (Choice.LEFT, Choice.LEFT, Choice.RIGHT)),
    )
    for voter, choices in said:
        for step, choice in enumerate(choices):
            arena.vote(arena.serve(number, voter, side=0.5 * (step % 2)), choice, voter)
    counted = {(vote.choice, vote.times) for vote in arena.read(sums.counted, number)}
    assert counted == {(Choice.LEFT, 2), (Choice.RIGHT, 2), (Choice.TIE, 1), (Choice.BOTH_BAD, 1)}
    by_voter = {(vote.voter, vote.choice, vote.times) for vote in arena.read(sums.by_voter, number)}
    assert by_voter == {
        (BEN.actor, Choice.LEFT, 1), (BEN.actor, Choice.TIE, 1), (BEN.actor, Choice.BOTH_BAD, 1),
        (CAT.actor, Choice.LEFT, 1), (CAT.actor, Choice.RIGHT, 2),
    }  # fmt: skip
    assert arena.read(sums.mine, number, by=CAT) == 3
    assert arena.view(number).votes == 6
    newest = arena.read(sums.newest, number)
    assert [vote.seconds for vote in newest] == [1.0] * 6
    assert len(arena.read(sums.newest, number, limit=4)) == 4


def test_every_verb_is_in_the_trail(arena: Arena) -> None:
    number = arena.ready(questions=["one?", "two?"])
    arena.vote(arena.serve(number), comment="They said their name.")
    arena.skip(arena.serve(number))
    arena.do(actions.switch, number, is_open=False)
    with arena.db.read() as session:
        found = [row for row in session.exec(select(AuditEvent)) if row.action.startswith("comparison.")]
    assert [row.action.partition(".")[2] for row in found] == ["created", "asked", "voted", "skipped", "closed"]
    assert {row.target for row in found} == {f"comparison:{number}"}
    assert "their name" not in repr([row.after for row in found])


def test_votes_are_taken_away_in_order(arena: Arena) -> None:
    number = arena.ready()
    for voter in (BEN, CAT):
        arena.vote(arena.serve(number, voter), by=voter)
    with arena.db.read() as session:
        lines = list(queries.lines(session, comparison=arena.view(number)))
        rest = list(queries.lines(session, comparison=arena.view(number), after=lines[0].id))
    assert [one.voter for one in lines] == [BEN.actor, CAT.actor]
    assert rest == lines[1:]
    assert lines[0].left == "m/a"
    assert timedelta(0) < lines[1].at - lines[0].at

"""A run's answers before people: whose they are is hidden, nothing is asked again, nothing private leaves."""

from __future__ import annotations

from typing import Any

import pytest

from core import clock, ids
from core.calls import queries as calls
from core.calls.filters import Filters
from core.errors import Conflict, Invalid, NotAllowed
from core.evals import voting
from core.evals.voting import Drawn
from core.experiments.queries import RunView
from core.experiments.rules import Arm
from core.guard.tables import CallFinding
from core.people.rules import LOCAL
from core.runtime import Runtime
from core.statistics.votes import Choice
from core.votes import actions, making, queries, rules
from core.votes.queries import ComparisonView
from core.votes.rules import Draws
from tests.experiments.made import ran
from tests.pages.test_prompt_library import keep
from tests.prompts.shelf import content
from tests.votes.arena import SEES, person


def drawn(here: Runtime, run: RunView) -> Drawn:
    with here.db.read() as session:
        return voting.draw(session, run)


def put(here: Runtime, run: RunView, name: str = "Blind", **told: Any) -> ComparisonView:
    given: dict[str, Any] = {"question": "Which helps more?", "by": LOCAL, "at": clock.now(), "ids": here.ids} | told
    with here.db.write() as session:
        number = voting.put_before_people(session, run, voting.draw(session, run), name=name, **given)
    with here.db.read() as session:
        return queries.comparison(session, number, project_ids=[1])


def recorded(here: Runtime) -> int:
    with here.db.read() as session:
        return len(calls.page(session, Filters(), project_ids=[1], limit=200).rows)


def test_people_vote_on_what_was_answered_and_no_model_is_asked_again(here: Runtime) -> None:
    run = ran(here, 3)
    before = recorded(here)
    found = put(here, run)
    assert recorded(here) == before
    assert (found.run_id, found.questions, found.made) == (run.id, 3, queries.Made(ready=6))
    assert [(one.name, one.model) for one in found.contestants] == [
        ("builtin/rules", "builtin/rules"), ("builtin/extract", "builtin/extract"),
    ]  # fmt: skip
    ben = person("ben")
    with here.db.write() as session:
        told: dict[str, Any] = {"by": ben, "at": clock.now()}
        pair_id = actions.serve(session, comparison_id=found.id, ids=here.ids, draws=Draws(0.1, 0.1, 0.1), **told)
        assert pair_id is not None
        actions.vote(session, pair_id=pair_id, choice=Choice.LEFT, **told)
    with here.db.read() as session:
        (seen,) = queries.voted(session, comparison=found, by=ben, pair_id=pair_id)
        assert [one.votes for one in queries.of_run(session, run.id, project_ids=[1], limit=3)] == [1]
        assert queries.of_run(session, run.id, project_ids=[2], limit=3) == ()
    assert seen.source.startswith("ex_")
    assert {seen.left_name, seen.right_name} == {"builtin/rules", "builtin/extract"}


def test_the_calls_of_a_run_are_hidden_from_voters_until_it_is_closed(here: Runtime) -> None:
    found = put(here, ran(here, 2))
    with here.db.read() as session:
        shown = [one.call_id for one in making.answers(session, comparison=found) if one.call_id is not None]
        assert len(shown) == 4
        assert set(queries.blind_calls(session, shown, project_ids=[1])) == set(shown)
        assert queries.blind_calls(session, shown, project_ids=[2]) == ()
    with here.db.write() as session:
        actions.switch(session, comparison_id=found.id, is_open=False, by=LOCAL, at=clock.now())
    with here.db.read() as session:
        assert queries.blind_calls(session, shown, project_ids=[1]) == ()


def test_nothing_is_asked_for_it_later(here: Runtime) -> None:
    found = put(here, ran(here, 2))
    told: dict[str, Any] = {"comparison_id": found.id, "by": LOCAL, "at": clock.now()}
    with pytest.raises(Conflict, match="answers of an experiment"), here.db.write() as session:
        actions.ask(session, questions=rules.typed("What else?"), ids=here.ids, **told)
    with pytest.raises(Conflict, match="answers of an experiment"), here.db.write() as session:
        actions.retry(session, **told)


def test_an_answer_that_failed_says_why_and_nobody_votes_on_it(here: Runtime) -> None:
    arms = tuple(
        Arm(letter, model=f"builtin/{name}") for letter, name in zip("ABC", ("rules", "extract", "nobody"), strict=True)
    )
    run = ran(here, 2, arms=arms)
    found = put(here, run)
    assert found.made == queries.Made(ready=4, failed=2)
    with here.db.read() as session:
        failed = making.answers(session, comparison=found, state=rules.State.FAILED)
    assert all("nobody" in one.error for one in failed)


def test_an_example_with_private_words_stays_out(here: Runtime) -> None:
    run = ran(here, 3)
    one = drawn(here, run).questions[0][1][0]
    with here.db.write() as session:
        session.add(
            CallFinding(
                call_id=one.call_id or 0, number=0, project_id=1, side="output", place="choices.0", family="personal",
                kind="email", start=0, stop=4, confidence=1.0, detector="pii",
            )
        )  # fmt: skip
    found = drawn(here, run)
    assert (len(found.questions), found.private) == (2, 1)


@pytest.mark.parametrize(("other", "seen"), [("Greet {{ n }}.", "Greet Ada."), ("Say hello to {{ n }}.", "")])
def test_what_prompts_make_of_an_example_is_the_question_where_it_is_one(here: Runtime, other: str, seen: str) -> None:
    numbers = [keep(here, name, content(name, ask)) for name, ask in (("kind", "Greet {{ n }}."), ("dry", other))]
    arms = tuple(
        Arm(letter, prompt=name, prompt_id=number, number=1)
        for letter, name, number in zip("AB", ("kind", "dry"), numbers, strict=True)
    )
    run = ran(here, 1, example={"variables": {"n": "Ada"}}, arms=arms)
    ((question, answers),) = drawn(here, run).questions
    assert "".join(one["content"] for one in question.messages) == seen
    assert question.variables == {"n": "Ada"}
    assert all(one.text for one in answers)
    assert put(here, run).questions == 1


def test_pictures_and_lone_variants_are_no_vote(here: Runtime) -> None:
    picture = [{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}]
    with pytest.raises(Invalid, match="nothing to vote on"):
        put(here, ran(here, 2, said=picture))


def test_a_draw_is_the_same_every_time_and_no_longer_than_people_can_take(
    here: Runtime, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ran(here, 6)
    monkeypatch.setattr(rules, "MOST_QUESTIONS", 3)
    monkeypatch.setattr(voting, "PER_READ", 2)
    first, again = drawn(here, run), drawn(here, run)
    assert first == again
    assert len({one.source for one, _ in first.questions}) == 3


def test_who_may_not_make_comparisons_makes_none(here: Runtime) -> None:
    run = ran(here, 2)
    for by in (SEES, person("ben")):
        with pytest.raises(NotAllowed):
            put(here, run, by=by)
    put(here, run)
    with pytest.raises(Conflict, match="already"):
        put(here, run)


def test_variants_contend_under_names_that_differ() -> None:
    arms = [
        Arm("A", prompt="support/refund", prompt_id=1, number=3),
        Arm("B", prompt="support/refund", prompt_id=1, number=4, parameters={"temperature": 0.2}),
        Arm("C", prompt="support/refund", prompt_id=1, number=4, model="m/other"),
        Arm("D", prompt="kind", messages=(("user", "{{ q }}"),)),
    ]
    found = voting.entrants(arms)
    assert [one.model for one in found] == [
        "prompt:support/refund@3", "prompt:support/refund@4", "support/refund, version 4 on m/other", "“kind”",
    ]  # fmt: skip
    assert found[1].parameters == {"temperature": 0.2}
    long = [Arm(letter, model=f"backend/{'m' * 70}-{letter}") for letter in "AB"]
    names = [one.name for one in voting.entrants(long)]
    assert [name[:3] for name in names] == ["A: ", "B: "]
    assert max(map(len, names)) <= 64


def test_an_example_is_named_by_its_key(here: Runtime) -> None:
    found = drawn(here, ran(here, 1))
    assert ids.read("ex", found.questions[0][0].source) is not None

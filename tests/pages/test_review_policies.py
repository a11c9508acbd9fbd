"""The page Routing and policies: rules in words, a dry run, queues and rubrics, for whom may change them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core import clock
from core.errors import Invalid
from core.guard import actions as policy_actions
from core.guard import queries as guard
from core.guard.tables import CallFinding
from core.guard.trial import Count, Trial
from core.people.rules import Principal, Role
from core.review import queries, rubrics
from core.runtime import Runtime
from core.settings import ROOT
from pages.parts import policy_board, policy_details, policy_words
from tests.guard.policies import on, rule
from tests.pages import visiting
from tests.pages.attacks import ATTACKS
from tests.pages.signed_in import SHELL, claims, greenroom, opened, person
from tests.pages.visiting import made

PAGE = ROOT / "pages" / "review_policies.py"


@pytest.fixture
def here(store_url: str, tmp_path: Path) -> Iterator[Runtime]:
    """A console with login."""
    with greenroom(tmp_path / "data", store_url) as running:
        yield running


@pytest.fixture
def lead(here: Runtime) -> Principal:
    return person(here, "lena", Role.LEAD_REVIEWER)


def visit(subject: str, **params: str) -> AppTest:
    page = opened(SHELL, user=claims(subject), **params)
    page.switch_page(str(PAGE)).run()
    assert not page.exception
    return page


def words(page: AppTest) -> str:
    return visiting.words(page).replace("\\", "").replace("&#58;\u200b", ":")


def press(page: AppTest, label: str) -> AppTest:
    next(button for button in page.button if button.label == label).click()
    page.run()
    assert not page.exception
    return page


def test_a_queue_is_opened_changed_and_closed(here: Runtime, lead: Principal) -> None:
    page = visit("lena", show="queues")
    page.text_input(key="queue_name_0").input("Refunds")
    press(page, "Open queue")
    with here.db.read() as session:
        (row,) = queries.queues(session, project_ids=(1,))
    assert (row.name, row.reviewers) == ("Refunds", 1)
    page.number_input(key=f"queue_k_{row.id}_1").set_value(2)
    page.number_input(key=f"queue_m_{row.id}_1").set_value(1)
    press(page, "Save")
    assert "cannot need more reviewers" in words(page)
    page.number_input(key=f"queue_m_{row.id}_1").set_value(4)
    page.toggle(key=f"queue_is_open_{row.id}_1").set_value(False)
    press(page, "Save")
    with here.db.read() as session:
        (row,) = queries.queues(session, project_ids=(1,))
    assert (row.reviewers, row.most_reviewers, row.is_open, row.version) == (2, 4, False, 2)
    assert "2 people for each answer" in words(page)


def test_a_rubric_is_worded_a_line_at_a_time(here: Runtime, lead: Principal) -> None:
    page = visit("lena", show="rubrics")
    page.text_input(key="rubric_name_new_0").input("Care")
    page.text_area(key="rubric_questions_new_0").input("Tone | scale 5 | rude | kind\nCorrect? | yes or no\nOdd | song")
    press(page, "Save")
    assert "Line 3 of the questions cannot be read" in words(page)
    page.text_area(key="rubric_questions_new_0").input("Tone | scale 5 | rude | kind\nCorrect? | yes or no")
    page.text_area(key="rubric_reasons_new_0").input("wrong: states something false\nrude")
    press(page, "Save")
    with here.db.read() as session:
        (row,) = rubrics.rubrics(session, project_ids=(1,))
    assert [one.name for one in row.questions] == ["Tone", "Correct?"]
    assert [(one.code, one.meaning) for one in row.reasons] == [("wrong", "states something false"), ("rude", "")]
    assert rubrics.as_lines(row)[0] == "Tone | scale 5 | rude | kind\nCorrect? | yes or no"


@pytest.mark.parametrize("text", ["a | choice | x", "| yes or no", "a\na", "\n".join(f"q{n}" for n in range(30))])
def test_questions_that_cannot_be_asked_are_refused(here: Runtime, lead: Principal, text: str) -> None:
    with here.db.write() as session, pytest.raises(Invalid):
        rubrics.word_lines(
            session, project_id=1, name="Care", questions=text, reasons="", policy_text="", by=lead, at=clock.now()
        )


def test_a_policy_is_written_tried_on_the_past_and_switched_on(here: Runtime, lead: Principal) -> None:
    page = visit("lena", show="queues")
    page.text_input(key="queue_name_0").input("Refunds")
    press(page, "Open queue")
    made(here, said=("Whom do I write to?", "Write to mia.berg@example.org."))
    made(here, said=("Hello?", "Hello."))
    page = visit("lena")
    assert "No policy is in force" in words(page)
    page.text_input(key="policy_name_0").input("Private").run()
    page.radio(key="policy_form_0_act_personal").set_value("hold").run()
    press(page, "Create policy")
    told = words(page)
    assert "On personal data in answers: hold it until a person decides, in the queue Refunds" in told
    assert "hold it until a person decides" in told
    with here.db.read() as session:
        (row,) = guard.policies(session, project_ids=(1,))
    assert (row.name, row.is_on) == ("Private", False)
    assert "Of 2 calls: 1 × let it pass; 1 × hold it" in told or "Of 2 calls: 1 × hold it" in told
    press(page, "Switch on")
    with here.db.read() as session:
        assert guard.snapshot(session).is_any(1)
    page.text_area(key="policy_text").input("Write to noah@example.org").run()
    assert "Hold it until a person decides" in words(page)


def test_a_dry_run_that_was_stopped_shows_what_it_has_seen_and_is_begun_anew(here: Runtime, lead: Principal) -> None:
    made(here, said=("Whom do I write to?", "Write to mia.berg@example.org."))
    with here.db.write() as session:
        number = policy_actions.create(
            session, project_id=1, name="Private", rules=[rule("redact", on("personal"))], by=lead, at=clock.now()
        )
    page = visit("lena")
    seen = Trial(250, 100, False, {"redact": Count(7)}, {}, Count())
    page.session_state[policy_board.TRIED] = number
    page.session_state[policy_board.RESULT] = (number, 1, seen)
    page.run()
    told = words(page)
    assert "Stopped early: only the newest calls were looked at." in told
    assert "Of 100 calls (of 250, spread over the week): 7 × hide what was found" not in told
    assert "Of 100 calls (of 250): 7 × hide what was found" in told
    press(page, "Dry run on the last 7 days")
    assert "Of 1 call: 1 × hide what was found" in words(page)
    assert "Stopped early" not in words(page)


def test_who_may_not_change_a_policy_reads_it(here: Runtime, lead: Principal) -> None:
    person(here, "mia", Role.REVIEWER)
    for show in ("policies", "queues", "rubrics"):
        page = visit("mia", show=show)
        labels = {button.label for button in page.button}
        assert not labels & {"Create policy", "Open queue", "Save", "Switch on", "Add the rule"}


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (
            {"when": [{"on": "sample", "percent": 5.0}], "act": "flag", "queue": "Q"},
            "On 5 % of all answers: deliver it, and look at it later, in the queue Q.",
        ),
        (
            {"when": [{"on": "finding", "family": "secret"}], "act": "refuse"},
            "On keys and passwords in questions and answers: refuse it.",
        ),
        (
            {"when": [{"on": "report", "reasons": ["rude"]}, {"on": "tag", "name": "t", "value": "v"}], "act": "flag"},
            "On a reader's report (rude) and the tag t = v: deliver it, and look at it later.",
        ),
        (
            {
                "when": [{"on": "new version", "of": "alias", "days": 7.0}],
                "act": "hold", "queue": "Q", "deadline_s": 120, "fail_safe": "pass",
            },
            "On the first 7 days of a new version of an alias: hold it until a person decides, in the queue Q; after "
            "2 min without a verdict: deliver it unseen.",
        ),
    ],
)  # fmt: skip
def test_a_rule_is_a_sentence(rule: dict[str, Any], sentence: str) -> None:
    assert policy_words.rule(rule) == sentence


JUDGED = on("judge", confidence=0.7, side="input")


@pytest.mark.parametrize(
    ("given", "settings", "lines"),
    [
        (
            rule("replace", on("word"), replacement="Please ask our desk."),
            {"words": [{"term": "moonstone"}, {"term": "forbidden*"}]},
            ["Blocked: moonstone, forbidden*.", "The reader gets: “Please ask our desk.”"],
        ),
        (
            rule("flag", on("word")),
            {"words": [{"term": f"w{n}"} for n in range(22)]},
            [f"Blocked: {', '.join(f'w{n}' for n in range(20))} and 2 more."],
        ),
        (
            rule("refuse", JUDGED, refusal_text="No."),
            {"judge": {"model": "lab/grader", "categories": {"threat": "harm to a person", "fraud": "fraud"}}},
            [
                "lab/grader is asked whether it is: threat (harm to a person), fraud.",
                "It counts when the judge is at least 70 % sure.",
                "The reader gets: “No.”",
            ],
        ),
        (
            rule("flag", on("judge")),
            {"judge": {"model": "lab/mod", "kind": "moderation"}},
            ["lab/mod moderates, for every category it knows.", "It counts when the judge is at least 50 % sure."],
        ),
        (
            rule("hold", on("topic"), on("length"), fail_safe="safe text", holding_text="Wait.", safe_text="Late."),
            {"topics": [{"name": "medicine", "terms": ["dose"]}], "most_characters": 2000},
            [
                "Words of medicine: dose.", "Fine: at most 2,000 characters.",
                "While it waits, the reader gets: “Wait.”",
                "When it is rejected: “This cannot be answered here.”", "When nobody decides in time: “Late.”",
            ],
        ),
        (rule("redact", on("personal")), {}, []),
    ],
)  # fmt: skip
def test_what_a_rule_looks_for_and_what_its_reader_gets_is_said(
    given: dict[str, Any], settings: dict[str, Any], lines: list[str]
) -> None:
    assert policy_details.of(given, settings) == lines


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_words_of_a_card_stay_words(here: Runtime, lead: Principal, attack: str) -> None:
    word, text = attack.replace("\0", "")[:200], attack.replace("\0", "")
    written = [rule("replace", on("word"), replacement=text), rule("flag", on("judge"))]
    judge = {"model": word, "categories": {word: text}}
    with here.db.write() as session:
        policy_actions.create(
            session, project_id=1, name="P", rules=written, settings={"words": [{"term": word}], "judge": judge},
            by=lead, at=clock.now(),
        )  # fmt: skip
    shown = "\n".join(one.value for one in visit("lena").caption)
    assert "Blocked" in shown
    assert "moderates" not in shown
    for sign in ("<script", "<img", "]("):
        assert sign not in shown.replace("\\" + sign[0], "")


def test_a_policy_says_that_its_judge_gave_no_verdict_and_why(here: Runtime, lead: Principal) -> None:
    judges = {"Down": "lab/down", "Up": "lab/up"}
    with here.db.write() as session:
        for name, model in judges.items():
            number = policy_actions.create(
                session, project_id=1, name=name, rules=[rule("flag", on("judge"))],
                settings={"judge": {"model": model, "kind": "moderation"}}, by=lead, at=clock.now(),
            )  # fmt: skip
            policy_actions.switch(session, policy_id=number, is_on=True, by=lead, at=clock.now())
    for minutes, model, kind in ((90, "up", "failed"), (9, "down", "failed"), (5, "up", "rude"), (4, "down", "failed")):
        why = {"guard": {"failures": [f"judge/1:lab/{model}: The judge gave no verdict: Away since {minutes}."]}}
        call_id = made(here, ago=timedelta(minutes=minutes), detail=why)
        with here.db.write() as session:
            row: dict[str, Any] = {
                "side": "output",
                "place": "choices.0.message.content",
                "family": "judge",
                "kind": kind,
            }
            row |= {"start": 0, "stop": 0, "confidence": 0.0, "detector": f"judge/1:lab/{model}", "act": "pass"}
            session.add(CallFinding(call_id=call_id, number=0, project_id=1, **row))
    (said,) = visit("lena").warning
    assert said.proto.title == "Its judge gave no verdict 2 times in the last hour."
    assert "The newest reason: Away since 4. What was not judged is treated as not found." in said.value.replace(
        "&#58;\u200b", ":"
    ).replace("\\", "")

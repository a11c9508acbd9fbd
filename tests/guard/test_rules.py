"""What policies make of findings: the strictest rule decides, and nobody can misspell one into doing nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from core.guard import rules
from core.guard.findings import Failure, Family, Finding, Side
from core.guard.policies import Act
from core.guard.rules import Made, decide, sampled
from tests.guard.policies import AT, context, finding, on, policy, rule

ALL = policy(
    rule("flag", on("personal")),
    rule("redact", on("personal", kinds=["email", "card"], confidence=0.8)),
    rule("replace", on("profanity", kinds=["hate"])),
    rule("hold", on("secret"), risk=3, patience_s=5),
    rule("refuse", on("injection", side="input"), refusal_text="No."),
)
FINDINGS = st.builds(
    finding,
    family=st.sampled_from(["personal", "profanity", "secret", "injection", "link"]),
    kind=st.sampled_from(["email", "card", "hate", "coarse"]),
    side=st.sampled_from(list(Side)),
    confidence=st.floats(0, 1),
)


def test_the_strictest_rule_decides_and_says_its_texts() -> None:
    told = decide([ALL], [finding(), finding("secret", "jwt")], context())
    assert (told.act, told.rule, told.queue, told.risk, told.patience_s) == (Act.HOLD, "hold it", "Answers", 3, 5)
    assert [one.act for one in told.findings] == [Act.REDACT, Act.HOLD]
    assert told.redact == (told.findings[0].finding,)
    assert told.source == "policy"


@given(st.lists(FINDINGS, max_size=6), st.lists(FINDINGS, max_size=3))
def test_more_findings_never_make_it_milder(some: list[Finding], more: list[Finding]) -> None:
    less = decide([ALL], some, context()).act.strictness
    assert decide([ALL], [*some, *more], context()).act.strictness >= less


def test_nothing_found_is_passed() -> None:
    assert decide([ALL], [], context()).act is Act.PASS
    assert decide([], [finding()], context()).act is Act.PASS


def test_an_unsure_finding_and_one_on_the_other_side_fire_nothing() -> None:
    told = decide([ALL], [finding("injection", "override"), finding("secret", confidence=0.4)], context())
    assert told.act is Act.PASS


def test_what_one_policys_words_found_is_not_anothers() -> None:
    two = policy(rule("refuse", on("word")), number=2, words=[{"term": "x"}])
    assert decide([two], [finding("word", policy=1)], context()).act is Act.PASS
    assert decide([two], [finding("word", policy=2)], context()).act is Act.REFUSE


def test_all_conditions_of_a_rule_must_hold() -> None:
    both = policy(rule("hold", on("personal"), {"on": "tag", "name": "tier", "value": "gold"}))
    assert decide([both], [finding()], context()).act is Act.PASS
    assert decide([both], [], context(tags=frozenset({("tier", "gold")}))).act is Act.PASS
    assert decide([both], [finding()], context(tags=frozenset({("tier", "gold")}))).act is Act.HOLD


def test_only_the_newest_message_counts_where_a_rule_says_so() -> None:
    newest = policy(rule("refuse", on("profanity", side="input", newest=True)))
    old = finding("profanity", "insult", side=Side.INPUT, place="messages.1.content")
    now = finding("profanity", "insult", side=Side.INPUT, place="messages.12.content")
    assert decide([newest], [old], context(newest="messages.12")).act is Act.PASS
    assert decide([newest], [old, now], context(newest="messages.12")).act is Act.REFUSE
    assert decide([newest], [now], context(newest="messages.1")).act is Act.PASS


BROKEN = Failure(Family.SECRET, Side.OUTPUT, "choices.0.message.content", "secret/1", "RuntimeError: no")


def test_a_broken_detector_closes_a_rule_that_would_hold_and_says_why() -> None:
    told = decide([ALL], [], context(), [BROKEN])
    assert told.act is Act.HOLD
    assert "secret/1 broke: RuntimeError: no" in told.failed_closed
    assert told.failures == (BROKEN,)


def test_a_reason_claims_nothing_of_what_a_broken_detector_did_not_see() -> None:
    judged = policy(rule("hold", on("judge"), name="what a judge finds"), judge={"model": "m", "kind": "moderation"})
    silent = Failure(Family.JUDGE, Side.OUTPUT, "choices.0.message.content", "judge/1:m", "It is away.")
    assert decide([judged], [finding("judge", "threat")], context()).reason == "P1, version 1: what a judge finds"
    unknown = "so nobody knows whether this rule holds"
    assert decide([judged], [], context(), [silent]).reason == (
        f"P1, version 1: its judge gave no verdict, {unknown}: what a judge finds"
    )
    assert decide([ALL], [], context(), [BROKEN]).reason == f"P1, version 1: a detector broke, {unknown}: hold it"


def test_a_broken_detector_of_a_mild_rule_is_recorded_and_passed() -> None:
    mild = policy(rule("flag", on("secret")), rule("redact", on("secret")))
    told = decide([mild], [], context(), [BROKEN])
    assert (told.act, told.failures, told.failed_closed) == (Act.PASS, (BROKEN,), "")


def test_a_broken_detector_closes_nothing_where_another_condition_fails() -> None:
    gold = policy(rule("refuse", on("secret"), {"on": "tag", "name": "tier", "value": "gold"}))
    assert decide([gold], [], context(), [BROKEN]).act is Act.PASS
    other = policy(rule("refuse", on("secret", side="input")))
    assert decide([other], [], context(), [BROKEN]).act is Act.PASS


@given(st.integers(0, 2**63 - 1), st.floats(0, 100), st.floats(0, 100))
def test_raising_the_percentage_moves_nobody_out(call_id: int, one: float, two: float) -> None:
    low, high = sorted((one, two))
    assert not sampled(call_id, low, salt="1:x") or sampled(call_id, high, salt="1:x")


def test_a_sample_is_of_its_size_and_independent_of_others() -> None:
    calls = range(10_000)
    ours = {n for n in calls if sampled(n << 22, 10, salt="1:a")}
    others = {n for n in calls if sampled(n << 22, 10, salt="2:a")}
    assert 850 < len(ours) < 1150
    assert 50 < len(ours & others) < 160
    assert all(sampled(n, 100, salt="x") for n in calls)


def test_a_sample_is_told_from_a_policy() -> None:
    told = decide([policy(rule("hold", {"on": "sample", "percent": 100}))], [], context())
    assert (told.act, told.source) == (Act.HOLD, "sample")


@pytest.mark.parametrize(
    ("days", "calls", "holds"), [(1, 500, True), (3, 50, True), (3, 500, False), (2, 100, False), (1.99, 100, True)]
)
def test_a_version_is_new_by_age_or_by_calls(days: float, calls: int, holds: bool) -> None:
    new = policy(rule("hold", {"on": "new version", "of": "alias", "days": 2, "calls": 100}))
    made = Made(AT - timedelta(days=days), calls)
    assert (decide([new], [], context(alias=made)).act is Act.HOLD) is holds
    assert decide([new], [], context(prompt=made)).act is Act.PASS


def test_low_scores_and_reports_are_conditions() -> None:
    low = policy(rule("hold", {"on": "score", "name": "helpful", "below": 0.5}))
    assert decide([low], [], context(scores={"helpful": 0.4})).source == "score"
    assert decide([low], [], context(scores={"other": 0.1})).act is Act.PASS
    told = policy(rule("flag", {"on": "report", "reasons": ["wrong"]}, queue="Reports"))
    assert decide([told], [], context(reports=("rude",))).act is Act.PASS
    assert (decide([told], [], context(reports=("wrong",)))).queue == "Reports"


@pytest.mark.parametrize(
    ("routes", "applies"),
    [
        ((), True),
        (("/v1/chat/*",), True),
        (("/v1/embeddings",), False),
        (("support",), True),
        (("sup*", "/v1/chat/completions"), True),
        (("sales",), False),
        (("support", "/v1/embeddings"), False),
    ],
)
def test_a_policy_is_for_its_routes_and_models(routes: tuple[str, ...], applies: bool) -> None:
    only = policy(rule("refuse", on("personal")), routes=routes)
    assert (decide([only], [finding()], context()).act is Act.REFUSE) is applies


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"rules": []}, "needs at least one rule"),
        ({"rules": [rule("hold", on("personal")) | {"queue": ""}]}, "holding needs a queue"),
        ({"rules": [rule("hold", on("personal"), patience=3)]}, "Rule 1 “hold it” cannot be used at “patience”"),
        ({"rules": [rule("redact", {"on": "sample", "percent": 5})]}, "only what was found can be redacted"),
        ({"rules": [rule("redact", on("language"))]}, "no part can be redacted"),
        ({"rules": [rule("flag", on("feelings"))]}, "Rule 1 “flag it”"),
        ({"rules": [rule("flag", {"on": "sample", "percent": 0})]}, "greater than 0"),
        ({"rules": [rule("flag", {"on": "new version", "of": "alias"})]}, "for how many days"),
        ({"rules": [rule("flag", on("personal")), rule("flag", on("secret"))]}, "same name"),
        ({"rules": [rule("flag", on("word"))]}, "needs the words"),
        ({"rules": [rule("flag", on("judge"))]}, "needs the judge"),
        ({"rules": [rule("flag", on("personal"))], "settings": {"host": []}}, "The settings cannot be used at “host”"),
        ({"rules": [rule("flag", on("shape"))], "settings": {"answer_schema": {"type": "x"}}}, "not valid"),
        ({"rules": [rule("flag", on("personal"))], "routes": [""]}, "A route of the policy is empty"),
    ],
)
def test_a_policy_that_cannot_work_is_refused_with_a_sentence(given: dict[str, Any], said: str) -> None:
    from core.guard import policies

    told = {"policy_id": 1, "project_id": 1, "name": "P", "version": 1, "routes": [], "settings": {}} | given
    with pytest.raises(Invalid) as raised:
        policies.parse(**told)
    assert said in raised.value.message


def test_a_stream_waits_for_its_end_only_where_a_strict_rule_needs_the_whole() -> None:
    assert rules.waits_for_end([ALL], context()) == ""
    shaped = policy(rule("replace", on("shape")), rule("flag", on("language")), languages=["en"])
    assert "replace it" in rules.waits_for_end([shaped], context())
    assert "hold it" in rules.waits_for_end([policy(rule("hold", {"on": "sample", "percent": 100}))], context())
    known = [finding("injection", "override", side=Side.INPUT)]
    assert "refuse it" in rules.waits_for_end([ALL], context(), known)
    only_gold = policy(rule("refuse", on("shape"), {"on": "tag", "name": "tier", "value": "gold"}))
    assert rules.waits_for_end([only_gold], context()) == ""


def test_names_are_looked_for_in_whole_answers() -> None:
    named = policy(rule("redact", on("personal")), names=True)
    assert "redact it" in rules.waits_for_end([named], context())
    assert rules.waits_for_end([policy(rule("redact", on("personal")))], context()) == ""

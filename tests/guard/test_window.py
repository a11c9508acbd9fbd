"""A stream under guard: the same findings as on the whole text, nothing passed that should not, at a bounded cost."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.guard import detecting, redaction, window
from core.guard.findings import Hit, Passage, Side
from core.guard.policies import Act, Policy
from core.guard.window import Window
from tests.guard.corpora import texts
from tests.guard.policies import context, on, policy, rule

REDACT = policy(rule("redact", on("personal")), rule("redact", on("secret"), name="secrets"), rule("flag", on("link")))
PLACE = "choices.0.message.content"
PROSE = "The reviewer approves, edits or rejects every answer before it is shown to a customer. "
NEEDLES = [
    text.replace("¦", "")
    for family in ("personal", "secret", "link")
    for _, text in texts("fresh")[family]["find"]
    if len(text) < 200
]


def whole(text: str, chosen: Policy) -> tuple[str, set[tuple[str, int, int]]]:
    """What is found, and what is left, when the whole text is there at once."""
    passage = Passage(Side.OUTPUT, PLACE, text)
    found = detecting.scan(detecting.detectors([chosen]), [passage]).findings
    parts, at = [], 0
    hidden = [one for one in found if one.family in ("personal", "secret") and one.confidence >= 0.5]
    for one in sorted(hidden, key=lambda one: (one.start, -one.stop)):
        if one.start >= at:
            parts += [text[at : one.start], redaction.marked(one.kind)]
            at = one.stop
    return "".join(parts) + text[at:], {(one.kind, one.start, one.stop) for one in found}


def stream(text: str, chosen: Policy, size: int) -> tuple[str, Window]:
    made = Window(detecting.detectors([chosen]), [chosen], context())
    out = "".join(made.feed(text[at : at + size], ms=float(at)).text for at in range(0, len(text), size))
    return out + made.end(ms=float(len(text))).text, made


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(st.just(PROSE), st.sampled_from(NEEDLES)), min_size=1, max_size=14), st.integers(1, 90))
def test_a_stream_is_redacted_as_the_whole_would_be(parts: list[str], size: int) -> None:
    text = "\n".join(parts)
    expected, found = whole(text, REDACT)
    out, made = stream(text, REDACT, size)
    assert out == expected
    assert {(one.kind, one.start, one.stop) for one in made.findings} == found


def test_every_needle_is_found_at_every_place_of_the_window() -> None:
    for needle in NEEDLES:
        for before in (0, 37, 150, 700):
            text = PROSE * 10
            text = f"{text[:before]}\n{needle}\n{PROSE * 4}"
            assert stream(text, REDACT, 7)[0] == whole(text, REDACT)[0], needle


def test_a_long_phrase_does_not_begin_to_pass_before_it_is_known() -> None:
    phrase = "the quarterly results of the northern branch before the auditors have signed them off for good"
    chosen = policy(rule("redact", on("word")), words=[{"term": phrase, "category": "inside"}])
    out, _ = stream(f"{PROSE * 5}{phrase}. {PROSE * 5}", chosen, 3)
    assert out == f"{PROSE * 5}[INSIDE]. {PROSE * 5}"


def test_a_strict_finding_ends_the_stream_before_it_is_seen() -> None:
    strict = policy(rule("refuse", on("secret")))
    text = PROSE * 8 + "sk-" + "a1B2c3D4e5F6g7H8i9J0k1L2 and more " + PROSE * 8
    out, made = stream(text, strict, 5)
    assert out == PROSE * 8
    assert made.ended is not None
    assert made.ended.act is Act.REFUSE
    assert made.feed("more", ms=1.0).text == ""


def test_a_broken_detector_lets_nothing_more_through_where_a_rule_is_strict() -> None:
    def broken(text: str) -> list[Hit]:
        raise RuntimeError("no")

    strict, mild = policy(rule("hold", on("secret"))), policy(rule("flag", on("secret")))
    ours = [detecting.Detector(detecting.Family.SECRET, "secret/1", broken, reach=100)]
    for chosen, kept in ((strict, ""), (mild, PROSE * 5)):
        made = Window(ours, [chosen], context())
        out = made.feed(PROSE * 5, ms=0.0).text + made.end(ms=1.0).text
        assert out == kept
        assert len(made.failures) == 1
        assert (made.ended is None) is (chosen is mild)


def test_detectors_of_whole_texts_speak_at_the_end() -> None:
    shaped = policy(rule("flag", on("shape")), rule("flag", on("personal"), name="p"), answer_schema={"type": "object"})
    out, made = stream("no json, but jane@example.org", shaped, 4)
    assert out == "no json, but jane@example.org"
    assert {one.family.value for one in made.findings} == {"shape", "personal"}
    assert made.decision().act is Act.FLAG


def test_with_nothing_to_look_for_nothing_waits() -> None:
    made = Window([], [], context())
    assert made.feed("at once", ms=0.0).text == "at once"
    assert made.delay.most_ms == 0.0


def test_how_long_characters_waited_is_counted() -> None:
    text = PROSE * 30
    out, made = stream(text, REDACT, 5)
    assert out == text
    assert made.delay.characters == len(text)
    most = 160 + window.STEP + 5  # a character a millisecond: what waits is the reach and a step
    assert made.delay.most_held <= most
    assert 80 <= made.delay.mean_ms <= made.delay.most_ms <= most


@pytest.mark.parametrize("chosen", [REDACT, policy(rule("flag", on("personal")))])
def test_what_a_chunk_costs_does_not_grow_with_the_answer(chosen: Policy) -> None:
    seen: list[int] = []

    def counting(text: str) -> list[Hit]:
        seen.append(len(text))
        return []

    ours = [detecting.Detector(detecting.Family.PERSONAL, "personal/1", counting, reach=160)]
    made = Window(ours, [chosen], context())
    for _ in range(5_000):
        made.feed("jane@", ms=0.0)
    assert max(seen) <= 3 * window.CONTEXT + 160 + window.STEP
    assert sum(seen) <= 5_000 * 5 * 15


def test_something_that_never_ends_is_not_kept_for_ever() -> None:
    text = "https://" + "a" * 30_000
    out, made = stream(text, policy(rule("flag", on("link")), hosts=["x.example"]), 50)
    assert out == text
    assert made.delay.most_held < window.MOST_GROWING + 1_000

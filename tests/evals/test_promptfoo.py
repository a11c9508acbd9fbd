"""promptfoo's files: what is understood means the same, what is not is named with its line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from core.evals import promptfoo, scorers, scoring, yaml
from core.evals.cases import Case
from core.evals.promptfoo import File

WHOLE = """\
description: Capitals
prompts:
  - 'Name the capital of {{country}}.'
  - file://prompts/two.txt
  - id: file://prompts/chat.json
    label: chat
  - file://prompts/made.js
providers:
  - openai:chat:gpt-5-mini
  - id: anthropic:messages:claude-x
    label: other
    config:
      temperature: 0.2
      apiKey: secret
  - exec:./run.sh
defaultTest:
  assert:
    - type: latency
      threshold: 5000
tests:
  - description: France
    vars:
      country: France
      city: Paris
    threshold: 0.8
    assert:
      - {type: icontains, value: '{{city}}', weight: 2, metric: names it}
      - type: javascript
        value: output.length > 3
      - type: not-contains-any
        value: [Lyon, 7]
      - type: llm-rubric
        value: Is it short?
  - vars:
      country: [Spain, Peru]
    assert:
      - type: contains
        value: '{{ country | upper }}'
    options: {}
  - file://more.csv
sharing: true
"""
FILES = {
    "prompts/two.txt": "One {{country}}\n---\nTwo {{country}}\n",
    "prompts/chat.json": '[{"role": "system", "content": "Be short."}, {"role": "user", "content": "{{country}}?"}]',
}


def files(name: str) -> str:
    if name not in FILES:
        raise Invalid(f"“{name}” cannot be read.", code="promptfoo")
    return FILES[name]


def read(text: str, **told: Any) -> File:
    return promptfoo.read(text, files=files, **{"judge": "judge", "embedder": "embedder"} | told)


def assertion(text: str) -> Any:
    found = read(f"tests:\n  - assert:\n      - {text}")
    assert not found.not_understood, found.not_understood
    return found.tests[0].scorers[0]


def test_a_file_is_read_as_far_as_it_has_a_counterpart() -> None:
    found = read(WHOLE)
    assert found.description == "Capitals"
    assert [(one.label, one.messages[-1]) for one in found.prompts] == [
        ("Name the capital of {{country}}.", ("user", "Name the capital of {{country}}.")),
        ("prompts/two.txt", ("user", "One {{country}}")),
        ("prompts/two.txt 2", ("user", "Two {{country}}")),
        ("chat", ("user", "{{country}}?")),
    ]
    assert [(one.label, one.name, one.parameters) for one in found.models] == [
        ("openai:chat:gpt-5-mini", "gpt-5-mini", {}),
        ("other", "claude-x", {"temperature": 0.2}),
    ]
    assert [(one.description, one.variables, one.threshold) for one in found.tests] == [
        ("France", {"country": "France", "city": "Paris"}, 0.8),
        ("", {"country": "Spain"}, None),
        ("", {"country": "Peru"}, None),
    ]
    assert [(one.name, one.kind, one.negated, one.weight) for one in found.tests[0].scorers] == [
        ("1 latency", "latency", False, 1),
        ("names it", "contains", False, 2),
        ("3 not-contains-any", "contains", True, 1),
        ("4 llm-rubric", "judge", False, 1),
    ]


def test_what_is_not_understood_is_named_with_its_line() -> None:
    assert [str(one) for one in read(WHOLE).not_understood] == [
        "Line 7, a prompt: prompts/made.js is not read: only .txt, .md, .j2 and .json files are.",
        "Line 14, provider anthropic:messages:claude-x: “apiKey” is not understood.",
        "Line 15, a provider: exec:./run.sh is not a model: programs and addresses are not called.",
        "Line 28, assertion javascript: JavaScript is not run: write it as a Python function in the scorers' "
        "directory.",
        "Line 37, assertion contains: of templates only {{ name }} is read, not {{ country | upper }}.",
        "Line 39, a test: “options” is not understood.",
        "Line 40, a test: only maps are read, no files of tests.",
        "Line 41, the file: “sharing” is not understood.",
    ]


@pytest.mark.parametrize(
    ("text", "answer", "passed"),
    [
        ("{type: equals, value: 'a b'}", "a b", True),
        ("{type: equals, value: 'a b'}", "a b ", False),
        ("{type: equals, value: 5}", "5", True),
        ("{type: equals, value: {a: 1}}", '{"a": 1}', True),
        ("{type: not-equals, value: a}", "a", False),
        ("{type: contains, value: 0}", "10", True),
        ("{type: icontains, value: PARIS}", "Paris.", True),
        ("{type: contains-all, value: [a, b]}", "a", False),
        ("{type: icontains-any, value: [A, x]}", "a", True),
        ("{type: regex, value: '\\d{4}'}", "in 1848", True),
        ("{type: is-json}", "[1]", True),
        ("{type: is-json, value: {type: object, required: [a]}}", "{}", False),
        ("{type: levenshtein, value: kitten}", "sitting", True),
        ("{type: levenshtein, value: kitten, threshold: 2}", "sitting", False),
        ("{type: rouge-n, value: a b c d}", "a b c d", True),
        ("{type: not-rouge-n, value: a b c d, threshold: 0.5}", "x", True),
    ],
)
def test_an_assertion_means_the_same_here(text: str, answer: str, passed: bool) -> None:
    assert scoring.score(assertion(text), Case(text=answer)).passed is passed


def test_assertions_that_need_more_than_the_answer_become_scorers_that_say_what() -> None:
    assert assertion("{type: similar, value: a, provider: 'openai:embedding:e-3'}").model == "e-3"
    assert assertion("{type: similar, value: a}").least == 0.75
    assert assertion("{type: llm-rubric, value: Short}").model == "judge"
    found = assertion("{type: python, value: 'file://checks.py'}")
    assert (found.call, found.given) == ("checks.py:get_assert", "output and context")
    assert isinstance(assertion("{type: cost, threshold: 0.001}"), scorers.Cost)


@pytest.mark.parametrize(
    "text",
    [
        "{type: contains-json}",
        "{type: python, value: 'len(output) > 3'}",
        "{type: contains}",
        "{type: contains-any, value: 'a, b'}",
        "{type: regex, value: '('}",
        "{type: latency}",
        "{type: equals, value: 'file://x.json'}",
        "{type: equals, value: '{{nobody}}'}",
        "{type: contains, value: a, transform: output.trim()}",
        "{type: equals, value: a, threshold: 0.5}",
        "{type: llm-rubric, value: a, threshold: 0.5}",
        "{value: a}",
        "just a text",
        "[a]",
        "{type: latency, threshold: fast}",
    ],
)
def test_no_assertion_is_left_out_silently(text: str) -> None:
    assert read(f"tests:\n  - assert:\n      - {text}").not_understood[0].line == 3


def test_a_judge_or_embedder_that_is_not_named_is_asked_for() -> None:
    found = read(
        "tests:\n  - assert:\n      - {type: similar, value: a}\n      - {type: llm-rubric, value: a}",
        judge="",
        embedder="",
    )
    assert [one.said for one in found.not_understood] == [
        "no model is named that embeds.",
        "no model is named that judges.",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "The file is not YAML: line 1: "),
        ("a: 1\na: 2", "Line 2 says “a” a second time."),
        ("[1]", "A promptfoo file is a map with "),
        ("a: !!python/object/apply:os.system [ls]", "Line 1 has the tag "),
        ("a: !!python/name:os.system x", "Line 1 has the tag "),
        ("a: !!map x", "Line 1 has the tag "),
        ("a: !!int [1]", "Line 1 has the tag "),
        ("a: &a [*a]", "Line 1 is nested deeper than 60 levels."),
        ("{" * 100_000, "Line 1 is nested deeper than 60 levels."),
        ("- " * 50_000, "The file is nested too deeply."),
        ("[" * 100 + "]" * 100, "Line 1 is nested deeper than 60 levels."),
        ("a: \x00", "The file is not YAML: "),
        ("x" * 300_001, "The file is longer than 300,000 characters."),
        ("a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
            f"{chr(98 + n)}: &{chr(98 + n)} [{','.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(8)),
         "The file has more than 50,000 values."),
        ("a: &a {k: v}\n" + "".join(
            f"{chr(98 + n)}: &{chr(98 + n)} {{<<: [{','.join(['*' + chr(97 + n)] * 9)}]}}\n" for n in range(8)),
         "The file has more than 50,000 values."),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_says_where(text: str, said: str) -> None:
    with pytest.raises(Invalid) as error:
        read(text)
    assert error.value.message.startswith(said), error.value.message


def test_merged_maps_are_overridden_and_dates_stay_texts() -> None:
    found = yaml.read("base: &b {x: 1, y: 2}\nmade:\n  y: 3\n  <<: *b\nday: 2024-01-02\n").plain
    assert found == {"base": {"x": 1, "y": 2}, "made": {"x": 1, "y": 3}, "day": "2024-01-02"}


def test_too_many_combinations_are_refused() -> None:
    numbers = list(range(50))
    with pytest.raises(Invalid, match="more than 2,000 examples"):
        read(f"tests:\n  - vars: {{a: {numbers}, b: {numbers}}}")


def test_only_files_of_the_directory_are_read(tmp_path: Path) -> None:
    home = tmp_path / "here"
    home.mkdir()
    (home / "a.txt").write_text("A", encoding="utf-8")
    (tmp_path / "b.txt").write_text("B", encoding="utf-8")
    (home / "link.txt").symlink_to(tmp_path / "b.txt")
    within = promptfoo.within(home)
    assert within("a.txt") == "A"
    for name in ("../b.txt", "link.txt", "missing.txt", str(tmp_path / "b.txt"), ".", "a\x00"):
        with pytest.raises(Invalid):
            within(name)


LINES = st.sampled_from(
    [*WHOLE.splitlines(), "- a", "  <<: *x", "x: &x {a: 1}", "? [a]", "- !!binary aGk=", "---", "\t", "%YAML"]
)


@given(st.text() | st.lists(LINES).map("\n".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert isinstance(read(text), File)
    except Invalid:
        return

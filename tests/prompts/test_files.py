"""Prompts as files: what is written is read back as the same version, to the letter; a bad file is told where."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given

from core.errors import Invalid
from core.prompts import files, versions
from core.prompts.files import PromptFile
from core.prompts.rules import Parameters
from core.prompts.versions import Content, Kind, Variable
from tests.prompts.shelf import content
from tests.prompts.test_versions import contents, texts


@given(contents, texts)
def test_a_prompt_comes_back_from_a_file_as_it_was(made: Content, words: str) -> None:
    numbered = versions.numbered(tuple(replace(message, mark=0) for message in made.messages))
    file = PromptFile("support/refund", replace(made, messages=numbered), words, ("a tag",), words)
    for written in (files.to_yaml(file), files.to_json(file)):
        read = files.read(written)
        assert read == file
        assert versions.digest(read.content, {}) == versions.digest(file.content, {})


def test_a_file_reads_like_a_person_wrote_it() -> None:
    made = content(
        "You help {{ customer }}.\nBe kind.\n", "{{ question }}", parameters=Parameters(temperature=0.2, stop=("END",)),
        variables=(Variable("customer", Kind.TEXT, "Mia"), Variable("question", is_required=False)),
    )  # fmt: skip
    assert files.to_yaml(PromptFile("support/refund", made, note="Kinder.")) == (
        "greenroom: prompt/1\n"
        "name: support/refund\n"
        "note: Kinder.\n"
        "model: builtin/rules\n"
        "parameters:\n"
        "  temperature: 0.2\n"
        "  stop:\n"
        "  - END\n"
        "variables:\n"
        "- name: customer\n"
        "  type: text\n"
        "  example: Mia\n"
        "- name: question\n"
        "  type: text\n"
        "  optional: true\n"
        "messages:\n"
        "- role: system\n"
        "  text: |\n"
        "    You help {{ customer }}.\n"
        "    Be kind.\n"
        "- role: user\n"
        "  text: '{{ question }}'\n"
    )


HEAD = "greenroom: prompt/1\nname: a\nmodel: m\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "begin with"), ("[1, 2]", "begin with"), ("{", "not JSON"), ("a: [", "not YAML"),
        ("greenroom: prompt/2", "begin with"), (HEAD + "mesages: []", "'mesages'"), (HEAD + "messages: x", "a list"),
        (HEAD + "messages: [{role: robot}]", "Message 1"), (HEAD + "messages: [{role: user, content: x}]", "'content'"),
        (HEAD + "messages: [{role: user, text: 3}]", "not a text"),
        (HEAD.replace("model: m", "model: 3"), "not a text"), (HEAD + "model: 3", "twice"),
        (HEAD + "parameters: {temperature: hot}", "temperature"), (HEAD + "parameters: {temprature: 1}", "temprature"),
        (HEAD + "variables: [{type: text}]", "Variable 1"), (HEAD + "variables: [{name: x, type: date}]", "'x'"),
        (HEAD.replace("name: a", "name: A B"), "lower case"), (HEAD + "tags: 3", "not a list"),
        ("a: &a [x]\nb: *a\n", "refers to another place"), ("a: !!python/object:os.system x", "not YAML"),
        ("x" * 2_000_001, "megabytes"), ("- " * 5_000, "not YAML"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_read_is_told_why(text: str, said: str) -> None:
    with pytest.raises(Invalid, match=said) as told:
        files.read(text)
    assert told.value.code in ("prompt_file", "invalid_request")

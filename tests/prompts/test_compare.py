"""What is different between two versions is said part by part, and nothing else."""

from __future__ import annotations

from hypothesis import given

from core.prompts.compare import differences
from core.prompts.rules import Message, Parameters, Speaker
from core.prompts.versions import Content, Kind, Variable
from tests.prompts.shelf import content
from tests.prompts.test_versions import contents


def test_each_part_that_changed_is_named_with_both_sides() -> None:
    old = content("Be kind.", "Hello {{ a }}", parameters=Parameters(temperature=0.2), variables=(Variable("a"),))
    new = content(
        "Be kind.\nBe brief.", "Hello {{ a }}", model="other", parameters=Parameters(temperature=0.7, max_tokens=9),
        variables=(Variable("a", Kind.CHOICE, choices=("x", "y")),), tools="[]",
    )  # fmt: skip
    assert [(one.what, one.before, one.after) for one in differences(old, new)] == [
        ("Model", "builtin/rules", "other"),
        ("Temperature", "0.2", "0.7"),
        ("Max tokens", "", "9"),
        ("Message 1, system", "Be kind.", "Be kind.\nBe brief."),
        ("Variable a", "text", 'choice, choices: ["x","y"]'),
        ("Tools", "", "[]"),
    ]


def test_a_message_that_came_between_leaves_the_others_beside_each_other() -> None:
    old = content("Be kind.", "Hello?")
    said = (old.messages[0], Message(Speaker.ASSISTANT, "Yes?"), old.messages[1])
    (one,) = differences(old, Content(old.model, said))
    assert (one.what, one.before, one.after) == ("Message 2, assistant", "", "Yes?")
    (gone,) = differences(Content(old.model, said), old)
    assert (gone.what, gone.before, gone.after) == ("Message 2, assistant", "Yes?", "")


def test_a_role_that_changed_is_a_difference() -> None:
    (one,) = differences(content("Be kind."), Content("builtin/rules", (Message(Speaker.USER, "Be kind."),)))
    assert (one.what, one.before, one.after) == ("Message 1, whose it is", "system", "user")


def test_tools_are_compared_a_line_for_each_field() -> None:
    tools = '[{"name":"order","description":"Where it is"}]'
    (one,) = differences(content("Hi."), content("Hi.", tools=tools))
    assert one.after.splitlines()[2] == '    "name": "order",'
    (spaced,) = differences(content("Hi.", tools=tools), content("Hi.", tools=tools.replace(",", ", ")))
    assert (spaced.before, spaced.after) == (tools, tools.replace(",", ", "))
    (torn,) = differences(content("Hi.", tools=tools), content("Hi.", tools="[{"))
    assert (torn.before, torn.after) == (tools, "[{")


@given(contents)
def test_a_version_does_not_differ_from_itself(made: Content) -> None:
    assert differences(made, made) == ()
    assert all(one.is_same for one in differences(made, made, with_same=True))

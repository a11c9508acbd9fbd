"""Prompts in prompts: found where Jinja would, replaced to the letter, never in raw text or comments."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from core.prompts import includes
from core.prompts.includes import Reference

TEXT = """Hi {{name}}.
{% include "support/tone@production" %}
{% raw %}{% include "raw" %}{% endraw %}{# {% include "comment" %} #}{%- include 'end@3' -%}
"""


def test_what_a_text_includes_is_found_where_it_counts() -> None:
    assert includes.references([TEXT, TEXT]) == ("support/tone@production", "end@3")


def test_an_included_text_stands_in_its_place() -> None:
    found = includes.expanded('a {% include "x" %} b', {"x": "{{name}} % } {# y #}"})
    assert found == "a {{name}} % } {# y #} b"
    assert includes.blanked('a{% include "x" %}b') == "ab"


def test_one_that_is_not_there_is_named() -> None:
    with pytest.raises(Invalid, match="support/tone"):
        includes.expanded(TEXT, {})


@pytest.mark.parametrize(
    "text", ["{% include x %}", '{% include "a" ~ "b" %}', '{% include "a" ignore missing %}', '{% include "a"', "%}"]
)
def test_what_names_no_prompt_is_left_as_it_is(text: str) -> None:
    assert includes.expanded(text, {"a": "A"}) == text


@given(st.text(st.characters(exclude_characters="\r", codec="utf-8")))
def test_a_text_without_includes_stays_as_it_is(text: str) -> None:
    assert includes.expanded(text, {}) == text or "include" in text


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("a/b", Reference("a/b")), ("a@production", Reference("a", "production")), ("a@12", Reference("a", number=12)),
        ("a@1x", Reference("a", "1x")), ("a@99999999999", Reference("a", "99999999999")),
    ],
)  # fmt: skip
def test_what_follows_the_at_is_a_version_or_a_label(text: str, read: Reference) -> None:
    assert includes.reference(text) == read
    assert str(read) == text

"""Strangers' sentences in captions and alerts of ours read as they were written."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from pages.parts import play_logprobs
from pages.parts.play_words import escaped


@given(st.text(alphabet="[](){}!*_`$:<>#~|\\www.evil.example/@ab", max_size=40))
def test_no_mark_of_markdown_is_left_unescaped(text: str) -> None:
    assert not re.search(r"[!-/:-@\[-`{-~]", re.sub(r"\\.", "", escaped(text)))


def test_a_small_probability_is_never_rounded_to_nothing() -> None:
    assert [play_logprobs.percent(p) for p in (1.0, 0.973, 0.041, 0.0004, 0.0)] == [
        "100 %",
        "97 %",
        "4.1 %",
        "< 0.1 %",
        "0.0 %",
    ]

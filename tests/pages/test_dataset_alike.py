"""Examples that say the same, or nearly: shown in groups, and only what was seen is removed."""

from __future__ import annotations

import pytest

from pages.parts import dataset_alike
from tests.datasets.sets import Sets, entry
from tests.pages import visiting
from tests.pages.datasets import here, look, mia, pressed, sets

__all__ = ["here", "mia", "sets"]


def test_duplicates_go_with_one_click_and_come_back_with_another(sets: Sets) -> None:
    sets.write(entry("may i RETURN it?", "No."))
    page = look(sets, view="alike")
    assert "2 alike" in visiting.words(page)
    pressed(page, f"dataset_alike_{sets.listed()[0].id}")
    assert len(sets.listed()) == 2
    pressed(page, "dataset_undo")
    assert len(sets.listed()) == 3
    assert "No two examples are alike" in visiting.words(look(sets, view="alike", alike="near"))


def test_only_duplicates_that_were_seen_go(sets: Sets) -> None:
    sets.write(entry("may i RETURN it?", "No."), entry("Is it BLUE?"), entry("is it blue?"))
    page = look(sets, view="alike")
    sets.write(entry("MAY I return it?", "Perhaps."))
    pressed(page, "dataset_alike_all")
    assert [row.expected["content"] for row in sets.listed() if row.expected][-1] == "Perhaps."
    assert "2 alike" in visiting.words(look(sets, view="alike"))


def test_near_duplicates_are_found_kept_in_mind_and_looked_for_again(
    sets: Sets, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = "May I return the blue lamp that I bought last week, although I have lost the receipt?"
    monkeypatch.setattr(dataset_alike, "_PER_PAGE", 1)
    monkeypatch.setattr(dataset_alike, "_QUICK", 0)
    sets.write(*(entry(f"{text}{more}") for text in (long, long[::-1]) for more in ("", "!", "?!")))
    page = look(sets, view="alike", alike="near")
    told = visiting.words(page)
    assert "8 examples were compared" in told
    assert "Groups 1 to 1 of 2" in told
    page = pressed(page, f"dataset_alike_{sets.listed()[2].id}")
    assert len(sets.listed()) == 6
    told = visiting.words(page)
    assert "The dataset has changed since" in told
    assert long[::-1] in told
    page = pressed(page, "dataset_alike_again")
    told = visiting.words(page)
    assert "6 examples were compared" in told
    assert "3 alike" in told
    assert "3 alike" in visiting.words(look(sets, view="alike", alike="near", from_group="7"))

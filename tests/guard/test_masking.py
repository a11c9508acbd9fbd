"""What masks hide, and an edit of a masked text with it in its place again."""

from __future__ import annotations

import pytest

from core.errors import Invalid
from core.guard import masking
from core.guard.findings import Passage, Side
from core.guard.queries import FoundRow

TEXT = "Write [EMAIL] to a@x.example or b@y.example, call 555-0100 or 555-0100."
PASSAGE = Passage(Side.OUTPUT, "choices/0", TEXT)


def found(kind: str, *values: str) -> list[FoundRow]:
    rows, at = [], 0
    for value in values:
        at = TEXT.index(value, at)
        stop = at + len(value)
        rows.append(FoundRow(1, PASSAGE.side, PASSAGE.place, "personal", kind, at, stop, 1.0, "d/1", "p/1", "hold"))
        at = stop
    return rows


FOUND = [*found("email", "a@x.example", "b@y.example"), *found("phone", "555-0100", "555-0100")]
MASKED = "Write [EMAIL] to [EMAIL] or [EMAIL], call [PHONE] or [PHONE]."


@pytest.mark.parametrize(
    ("edit", "whole"),
    [
        (MASKED, TEXT),
        (f"Please: {MASKED}", f"Please: {TEXT}"),
        ("Nothing of it.", "Nothing of it."),
        ("Call [PHONE].", "Call 555-0100."),
        ("[PHONE] or [PHONE], [OTHER]", "555-0100 or 555-0100, [OTHER]"),
    ],
)
def test_an_edit_gets_back_what_its_marks_hid(edit: str, whole: str) -> None:
    assert masking.text(PASSAGE, FOUND) == MASKED
    assert masking.unmasked(edit, [PASSAGE], FOUND) == whole


@pytest.mark.parametrize("edit", ["Write to [EMAIL].", f"{MASKED} [EMAIL]", "[PHONE] [PHONE] [PHONE]"])
def test_marks_that_could_be_several_things_are_asked_about(edit: str) -> None:
    with pytest.raises(Invalid, match="which is which is not clear"):
        masking.unmasked(edit, [PASSAGE], FOUND)

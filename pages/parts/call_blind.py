"""Calls behind a blind comparison: while it is open, who votes must not learn there whose an answer is."""

from __future__ import annotations

from collections.abc import Sequence

from core.people.rules import Permission, Principal
from core.votes import queries as votes
from pages.parts import reads

TITLE = "This answer belongs to a blind comparison."
HINT = "Its call is shown once the comparison is closed."


def hidden(call_ids: Sequence[int], project_id: int, by: Principal) -> frozenset[int]:
    """Which of these calls this person may not see now; none for who makes comparisons."""
    if not call_ids or by.may(Permission.COMPARE_CHANGE, project_id):
        return frozenset()
    return frozenset(reads.fresh(votes.blind_calls, call_ids, project_ids=(project_id,)))

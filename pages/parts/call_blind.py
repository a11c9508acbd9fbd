"""Calls whose answer somebody judges without knowing whose it is: they do not learn it from the record meanwhile."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from core import clock
from core.people.rules import Permission, Principal
from core.review import standing
from core.votes import queries as votes
from pages.parts import reads

COMPARED = ("This answer belongs to a blind comparison.", "Its call is shown once the comparison is closed.")
IN_HAND = ("You are judging this answer without knowing which model gave it.", "Its call is shown once you decided.")


def hidden(call_ids: Sequence[int], project_id: int, by: Principal) -> Mapping[int, tuple[str, str]]:
    """Which of these calls this person may not see now: why, and until when. Who makes comparisons sees theirs."""
    if not call_ids:
        return {}
    mine = (project_id,)
    in_hand = reads.fresh(standing.blind_calls, call_ids, project_ids=mine, by=by, at=clock.now())
    found = dict.fromkeys(in_hand, IN_HAND)
    if not by.may(Permission.COMPARE_CHANGE, project_id):
        found |= dict.fromkeys(reads.fresh(votes.blind_calls, call_ids, project_ids=mine), COMPARED)
    return found

"""Live tests on the way to a model: which arm a call gets, and the request that arm makes.

Only what applications ask is split, never the playground. An arm that cannot be asked (its version is gone, a variable
it needs was not sent) is no reason to fail a caller: the control answers, and the record says that it did.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from core.serve import tally
from core.serve.asked import HELD, Asked, Progress
from core.trials.rules import Facts
from core.trials.running import Snapshot
from core.wire import openai

LONGEST_UNIT = 200


def no_trials() -> Snapshot:
    """What a Greenroom without running tests has."""
    return Snapshot()


@dataclass(frozen=True, slots=True)
class Splitter:
    """Gives calls their arms; `running` says which tests run now."""

    running: Callable[[], Snapshot]

    def split(self, progress: Progress) -> bool:
        """Give a call its arm, in place; whether another request is asked for it than the one that came."""
        asked = progress.asked
        running = self.running()
        if not running.is_any(asked.project_id) or asked.route not in HELD:
            return False
        name = asked.body.get("model")
        if not isinstance(name, str):
            return False
        given = running.given(asked.project_id, name, facts_of(asked, progress.call_id))
        if given is None:
            return False
        progress.exposure = given.exposure
        if given.arm is None or given.arm.is_as_asked:
            return False
        parameters = dict(given.arm.parameters)
        body = {key: value for key, value in asked.body.items() if not _is_replaced(key, parameters)} | parameters
        if given.arm.model:
            body["model"] = given.arm.model
            progress.named = name
        progress.asked = replace(asked, body=body, raw=openai.dumps(body))
        return True


def to_control(progress: Progress, asked: Asked) -> None:
    """The arm could not be asked: go on with the request as it came."""
    progress.asked, progress.named = asked, ""
    if progress.exposure is not None:
        progress.exposure = replace(progress.exposure, is_fallback=True)


def facts_of(asked: Asked, call_id: int) -> Facts:
    """What a call says of the units it belongs to."""
    tags = tally.tags_of(asked)
    user, session = tally.end_user_of(asked.body), tally.session_of(tags)
    return Facts(user[:LONGEST_UNIT], session[:LONGEST_UNIT], str(call_id), tags)


def _is_replaced(name: str, parameters: dict[str, object]) -> bool:
    """Both names of the same limit go when an arm sets one."""
    return name == "max_completion_tokens" and "max_tokens" in parameters

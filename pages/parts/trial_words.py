"""Words and colours of live tests."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from core.statistics.margins import Standing
from core.statistics.verdict import Reason
from core.trials import rules
from core.trials.cards import Card
from core.trials.queries import TrialView
from core.trials.rules import State
from pages.parts import amounts, hostile

Color = Literal["green", "orange", "gray", "blue", "red", "violet"]

STATES: dict[State, tuple[str, Color]] = {
    State.DRAFT: ("draft", "gray"),
    State.RUNNING: ("running", "green"),
    State.PAUSED: ("paused", "orange"),
    State.ENDED: ("ended", "blue"),
}
OUTCOMES = {
    "ship": (":material/rocket_launch:", "{leader} is better"),
    "keep": (":material/undo:", "Keep A"),
    "inconclusive": (":material/help:", "No difference is shown"),
    "unhealthy": (":material/warning:", "Something is wrong with this test"),
    "running": (":material/hourglass_top:", "Not decided yet"),
}
BETTER_WITHOUT_LIMITS = (":material/help:", "{leader} is better, but not every limit is known to hold")
PROMOTED = (":material/rocket_launch:", "{arm} was chosen")
TOO_EARLY = (":material/hourglass_disabled:", "Ended before anything was decided")
STANDINGS: dict[str, tuple[str, Color]] = {
    "held": ("held", "green"),
    "broken": ("broken", "red"),
    "not yet known": ("not yet known", "gray"),
}
EVENTS = {
    "created": "made the draft",
    "changed": "changed it",
    "started": "started it",
    "resumed": "let it run again",
    "paused": "paused it",
    "widened": "let it cover more",
    "closed": "closed an arm",
    "ended": "ended it",
}


def decided(card: Card, *, has_ended: bool) -> tuple[str, str]:
    """Icon and title of a decision."""
    if card.promoted is not None and card.promoted != card.leader:
        return PROMOTED[0], PROMOTED[1].format(arm=hostile.sentence(card.of(card.promoted).name))
    if has_ended and card.outcome == "running":
        return TOO_EARLY
    icon, title = BETTER_WITHOUT_LIMITS if is_only_better(card) else OUTCOMES[card.outcome]
    return icon, title.format(leader=hostile.sentence(card.of(card.leader).name))


def why(card: Card, arm: int) -> str:
    """What led to the decision about an arm, with the guardrails it was."""
    open_ = [line.name for line in card.lines if line.arm == arm and line.standing == Standing.UNKNOWN]
    named: dict[str, Sequence[str]] = {Reason.GUARDRAIL_BROKEN: card.broken(arm), Reason.GUARDRAIL_UNKNOWN: open_}
    reasons = card.of(arm).reasons
    said = [f"{reason} ({', '.join(named[reason])})" if named.get(reason) else reason for reason in reasons]
    return f"{'; '.join(said)}."


def is_only_better(card: Card) -> bool:
    """Whether the goal is better at the planned size while guardrails are open: neither arm is the one to take."""
    return card.outcome == "inconclusive" and Reason.GOAL_BETTER in card.reasons


def days(row: TrialView, now: datetime) -> str:
    """How long it has run."""
    if row.started_at is None:
        return "not started"
    length = max((row.ended_at or now) - row.started_at, timedelta(0)).days  # a clock may have been set back
    return f"{length} day{'' if length == 1 else 's'}" if length else "less than a day"


def split(row: TrialView) -> str:
    """How they are divided among the arms."""
    total = sum(arm.weight for arm in row.arms)
    if len(row.arms) > 2 and len({arm.weight for arm in row.arms}) == 1:
        return f"evenly among {len(row.arms)}"
    return ", ".join(f"{arm.weight / total * 100:.3g} % {arm.name}" for arm in row.arms)


def layer(row: TrialView) -> str:
    """Which units are left to other tests."""
    if not row.layer:
        return f"it takes any {row.unit.value}"
    return f"layer {row.layer}: only those from {coverage(row.first)} to {coverage(row.until)} of its {row.unit.many}"


def ramp(row: TrialView) -> str:
    """How the coverage grows from where it is."""
    further = rules.next_step(row.coverage)
    if further is None:
        return "all are covered"
    if not row.ramp_hours:
        return f"by hand, from {coverage(row.coverage)}"
    return f"by itself, a step after every {amounts.count(row.ramp_hours, 'hour')}; {coverage(further)} is next"


def coverage(buckets: int) -> str:
    """A coverage in percent."""
    return f"{buckets / 100:g} %"


def tested(row: TrialView) -> str:
    """What is asked, and what the other arms ask instead."""
    target = "every name" if row.target == rules.ALL else f"“{row.target}”"
    return f"{_others(row)} against what {target} means"


def _others(row: TrialView) -> str:
    """What the others ask; versions of one prompt without its name each time."""
    wanted = [rules.prompt_of(arm.model) for arm in row.arms[1:]]
    names = {one.name for one in wanted if one is not None}
    if len(wanted) > 1 and None not in wanted and len(names) == 1 and not any(arm.parameters for arm in row.arms):
        return f"versions {', '.join(str(one.number) for one in wanted if one is not None)} of {names.pop()}"
    return ", ".join(rules.told_arm(arm) for arm in row.arms[1:])

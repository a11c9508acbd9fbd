"""From decisions to rows and from rows to policies."""

from __future__ import annotations

from typing import Any

from core.guard import policies
from core.guard.findings import FAILED
from core.guard.rules import Decision
from core.guard.tables import Policy, PolicyVersion

MOST = 200  # findings of one call that are kept; the strictest first


def wording(row: PolicyVersion) -> dict[str, Any]:
    """What a version says, for the trail."""
    return {"version": row.version, "routes": row.routes, "rules": row.rules, "settings": row.settings}


def policy(row: Policy, version: PolicyVersion) -> policies.Policy:
    """A stored policy, ready to decide by. Raises: Invalid when its JSON is not understood any more."""
    return policies.parse(
        policy_id=row.id or 0,
        project_id=row.project_id,
        name=row.name,
        version=version.version,
        routes=version.routes,
        rules=version.rules,
        settings=version.settings,
    )


def findings(call_id: int, project_id: int, decision: Decision) -> list[dict[str, Any]]:
    """The rows of `call_finding` for a decided call, by column. A detector that broke is a row too: kind `FAILED`."""
    judged = sorted(decision.findings, key=lambda one: -one.act.strictness)[:MOST]
    judged.sort(key=lambda one: (one.finding.side, one.finding.place, one.finding.start))
    made: list[dict[str, Any]] = [
        {
            "side": one.finding.side.value,
            "place": one.finding.place,
            "family": one.finding.family.value,
            "kind": one.finding.kind,
            "start": one.finding.start,
            "stop": one.finding.stop,
            "confidence": one.finding.confidence,
            "detector": one.finding.detector,
            "policy": one.policy,
            "act": one.act.value,
        }
        for one in judged
    ]
    made += [
        {
            "side": one.side.value,
            "place": one.place,
            "family": one.family.value,
            "kind": FAILED,
            "start": 0,
            "stop": 0,
            "confidence": 0.0,
            "detector": one.detector,
            "policy": decision.policy if decision.failed_closed else "",
            "act": decision.act.value if decision.failed_closed else "pass",
        }
        for one in decision.failures[:MOST]
    ]
    return [{"call_id": call_id, "number": n, "project_id": project_id, **row} for n, row in enumerate(made)]

"""Policies and findings in a line each."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from core.guard import policies
from core.guard.findings import Family, Finding, Side
from core.guard.policies import Policy
from core.guard.rules import Context

AT = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)


def on(family: str, **told: Any) -> dict[str, Any]:
    """A condition on a finding."""
    return {"on": "finding", "family": family, **told}


def rule(act: str, *when: dict[str, Any], name: str = "", **told: Any) -> dict[str, Any]:
    """A rule; held answers wait in "Answers"."""
    queue = {"queue": "Answers"} if act == "hold" else {}
    return {"name": name or f"{act} it", "when": list(when), "act": act, **queue, **told}


def policy(*rules: dict[str, Any], routes: tuple[str, ...] = (), number: int = 1, **settings: Any) -> Policy:
    return policies.parse(
        policy_id=number, project_id=1, name=f"P{number}", version=1, routes=routes, rules=rules, settings=settings
    )


def finding(family: str = "personal", kind: str = "email", **told: Any) -> Finding:
    given: dict[str, Any] = {"side": Side.OUTPUT, "place": "choices.0.message.content", "start": 0, "stop": 5}
    given |= {"confidence": 0.9, "detector": f"{family}/1"} | told
    return Finding(Family(family), kind, **given)


def context(**told: Any) -> Context:
    return Context(**{"call_id": 7, "route": "/v1/chat/completions", "at": AT, "models": ("support",)} | told)

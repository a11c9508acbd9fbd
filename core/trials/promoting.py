"""An arm for everybody: the label moves to its version, or the alias to its model, through the verbs people use."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlmodel import Session

from core.catalog import actions as catalog
from core.catalog import queries as catalog_queries
from core.catalog.queries import AliasRow
from core.errors import Invalid
from core.ids import Ids
from core.people.rules import Principal
from core.prompts import queries as prompt_queries
from core.prompts import releases
from core.prompts.versions import PRODUCTION
from core.trials import rules
from core.trials.queries import TrialView
from core.trials.rules import Arm, Ending

EVIDENCE = "live test "
"""What the name of a test stands behind, where it speaks for a version."""


def promoted(
    session: Session, view: TrialView, arm: Arm, *, note: str, by: Principal, at: datetime, ids: Ids
) -> Ending:
    """Whether it is so now, or was asked for. Raises: Invalid (code "not_promotable"), Conflict, NotAllowed."""
    if arm.parameters or not arm.model:
        raise Invalid(
            f"Arm {arm.name} sets parameters of its own ({rules.told_arm(arm)}), which no label or alias can.",
            code="not_promotable",
            hint="Roll back, then keep them in a new version of the prompt.",
        )
    target, wanted = rules.prompt_of(view.target), rules.prompt_of(arm.model)
    if target is not None and wanted is not None and target.name == wanted.name and wanted.number is not None:
        label = target.label or PRODUCTION
        prompt = prompt_queries.named(session, target.name, project_id=view.project_id)
        told: dict[str, Any] = {"prompt_id": prompt.id, "label": label, "number": wanted.number}
        told |= {"by": by, "at": at, "ids": ids, "note": note}
        if label in prompt_queries.protected(session, project_id=view.project_id):
            releases.ask(session, **told, evidence=[f"{EVIDENCE}{view.name}"])
            return Ending.ASKED
        releases.move(session, **told)
        return Ending.PROMOTED
    alias = _aliases(session).get(view.target)
    if target is None and alias is not None and wanted is None:
        steps = _steps(session, arm.model)
        catalog.set_alias(
            session, name=view.target, steps=steps, by=by, at=at, cache_ttl_s=alias.cache_ttl_s,
            answers_by_rules=alias.answers_by_rules, note=note[:500], takes_over=True,
        )  # fmt: skip
        return Ending.PROMOTED
    raise Invalid(
        f"What {view.target!r} means cannot become {arm.model!r} by itself.",
        code="not_promotable",
        hint="Roll back, then change the application or the alias.",
    )


def _aliases(session: Session) -> dict[str, AliasRow]:
    return {row.name: row for row in catalog_queries.aliases(session) if row.is_enabled}


def _steps(session: Session, model: str) -> list[tuple[str, str]]:
    """What an alias has to say to mean this model. Raises: Invalid."""
    known = _aliases(session)
    if model in known:
        return list(known[model].steps)
    backend, slash, name = model.partition("/")
    if not slash:
        having = [one.backend for one in catalog_queries.models(session) if one.name == model and one.is_enabled]
        if len(having) != 1:
            raise Invalid(f"{model!r} is not one model of one backend.", hint="Roll back, and set the alias by hand.")
        return [(having[0], model)]
    return [(backend, name)]

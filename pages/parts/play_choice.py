"""Which models a variant may ask, and what the chosen one takes."""

from __future__ import annotations

from collections.abc import Callable

from core.catalog.rules import ModelView, Resolved, Snapshot, resolve
from core.errors import GreenroomError

NOT_CHAT = frozenset({"embedding", "moderation", "other"})
"""Kinds that are not offered; who knows better types the name."""


def names(snapshot: Snapshot) -> list[str]:
    """Aliases first, then `backend/model` of every model that answers and is switched on."""
    return sorted(snapshot.aliases) + _usable(snapshot, lambda kind: kind not in NOT_CHAT)


def embedding(snapshot: Snapshot) -> list[str]:
    """`backend/model` of every model that embeds and is switched on."""
    return _usable(snapshot, lambda kind: kind == "embedding")


def _usable(snapshot: Snapshot, is_wanted: Callable[[str], bool]) -> list[str]:
    return sorted(
        f"{m.backend}/{m.name}"
        for m in snapshot.models
        if m.is_enabled and is_wanted(m.kind) and snapshot.is_usable(m.backend, m.name)
    )


def first(snapshot: Snapshot) -> str:
    """What a newcomer starts with: the first alias, else a model that really generates, else any."""
    known = names(snapshot)
    liked = (name for name in ("builtin/tiny",) if name in known)
    return next(iter(sorted(snapshot.aliases)), None) or next(liked, None) or next(iter(known), "")


def label(snapshot: Snapshot, name: str) -> str:
    """An alias with what it means: `support → openai/gpt-4o-mini`."""
    alias = snapshot.aliases.get(name)
    if alias is None or not alias.steps:
        return name
    backend, model = alias.steps[0]
    return f"{name} → {backend}/{model}"


def meaning(snapshot: Snapshot, name: str) -> Resolved | None:
    """What the name means now; None when nothing has it."""
    try:
        return resolve(snapshot, name)
    except GreenroomError:
        return None


def model(snapshot: Snapshot, name: str) -> ModelView | None:
    """The model asked first; None when it is not listed."""
    found = meaning(snapshot, name)
    if found is None or not found.steps:
        return None
    step = found.steps[0]
    return snapshot.models_by_path.get((step.backend.name, step.model))


def takes(snapshot: Snapshot, name: str) -> tuple[bool, bool]:
    """Whether pictures and sounds may be attached; a model nobody listed may take both."""
    found = model(snapshot, name)
    return (True, True) if found is None else (found.takes_image, found.takes_audio)

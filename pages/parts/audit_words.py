"""The trail in sentences: "created the key", and what was before and after, line by line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_PHRASES = {
    "alias.set": "gave a meaning to the alias",
    "backend.checked": "tested the backend",
    "backend.ensured": "set up the backend",
    "backend.key_set": "changed the key of the backend",
    "call.revealed": "read what is masked in",
    "calls.export_ended": "was handed as a file, to its end or until they left, the",
    "calls.exported": "took away as a file: the",
    "dataset.described": "wrote the card of the dataset",
    "dataset.exported": "took away examples of the dataset",
    "dataset.item_added": "added an example to the dataset",
    "dataset.item_edited": "edited an example of the dataset",
    "dataset.items_added": "added examples to the dataset",
    "dataset.items_removed": "removed examples from the dataset",
    "dataset.items_restored": "put examples back into the dataset",
    "dataset.matched": "brought in line with a file: the dataset",
    "dataset.reverted": "took back to an earlier version: the dataset",
    "dataset.split_assigned": "divided into splits: the dataset",
    "dataset.split_planned": "planned the splits of the dataset",
    "dataset.split_set": "put by hand into a split: examples of the dataset",
    "dataset.version_kept": "kept a version of the dataset",
    "feedback.given": "commented on",
    "models.discovered": "asked which models there are:",
    "person.activated": "switched on the access of",
    "person.deactivated": "switched off the access of",
    "price.set": "set a price for",
    "review.appealed": "appealed the verdict on",
    "review.bulk_begun": "began to decide many at once:",
    "review.bulk_ended": "ended deciding many at once:",
    "review.decided": "decided on",
    "review.expired": "let the deadline pass of",
    "review.gold_declared": "lets others be tested with",
    "review.gold_retired": "lets nobody be tested any longer with",
    "review.passed_on": "left to others:",
    "review.revealed": "read what is masked in",
    "review.sent": "sent to review:",
    "review.undone": "took back the verdict on",
}
_OF_THEMSELVES = {
    "person.seen": "signed in for the first time",
    "roles.followed_claims": "has the roles of their groups now",
}
"""What Greenroom notes of a person: they are the one who did it."""
_ROLES = {"role.granted": "gave the role {} to", "role.revoked": "took the role {} from"}
_ITSELF = frozenset({"person", "project"})
"""Targets that carry a number: their name comes from the store."""


def did(action: str, told: Mapping[str, Any] | None = None) -> str:
    """`key.created` → `created the key`; `told` is what the row says before or after, for a role's name."""
    if action in _OF_THEMSELVES:
        return _OF_THEMSELVES[action]
    if action in _ROLES:
        return _ROLES[action].format(str((told or {}).get("role", ""))).replace("  ", " ")
    if action in _PHRASES:
        return _PHRASES[action]
    noun, _, verb = action.partition(".")
    return f"{verb.replace('_', ' ')} the {noun.replace('_', ' ')}" if verb else noun.replace("_", " ")


def is_of_themselves(action: str) -> bool:
    """Whether the one it is about did it."""
    return action in _OF_THEMSELVES


def target(
    mark: str, names: Mapping[str, str], *, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None
) -> str:
    """What it was done to, by name: from the store, else from the row itself, else the mark."""
    kind, colon, rest = mark.partition(":")
    if not colon:
        return mark
    for side in (after, before):
        if side and isinstance(side.get("name"), str) and rest.isdigit() and side["name"]:
            return str(side["name"])
    if mark in names:
        return names[mark]
    return rest if kind not in _ITSELF else f"{kind} {rest}"


def lines(
    before: Mapping[str, Any] | None, after: Mapping[str, Any] | None, projects: Mapping[int, str]
) -> list[tuple[str, str, str]]:
    """(what, before, after) for everything that is said of it; what stayed the same is left out."""
    was, now = dict(_flat(before or {}, projects)), dict(_flat(after or {}, projects))
    names = list(dict.fromkeys([*was, *now]))
    return [(name, was.get(name, ""), now.get(name, "")) for name in names if was.get(name) != now.get(name)]


def _flat(value: Mapping[str, Any], projects: Mapping[int, str], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, item in value.items():
        words = f"{prefix}{name.replace('_', ' ')}"
        if name == "project_id":
            yield f"{prefix}project", "all" if item is None else projects.get(item, f"project {item}")
        elif isinstance(item, Mapping):
            yield from _flat(item, projects, f"{words}: ")
        else:
            yield words, said(item)


def said(value: Any) -> str:
    """A value as people say it."""
    if value is None or value == "":
        return "nothing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ", ".join(_item(item) for item in value) or "nothing"
    return str(value)


def _item(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(f"{name.replace('_', ' ')} {said(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return "/".join(said(item) for item in value)
    return said(value)

"""A promptfoo file as an eval file: its prompts and models become variants, its tests examples, its assertions scorers.

Assertions that all tests share are scorers of the run. Where tests differ, each example has its own checks, which
one scorer puts together: an example passes when it meets all of them, as a promptfoo test does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from core.datasets import rules
from core.datasets.rules import Entry, Example, Kind
from core.errors import GreenroomError, Invalid
from core.evals import asking, files, promptfoo
from core.evals.files import Variant, Wanted
from core.evals.promptfoo import File, Remark, Test
from core.evals.scorers import Checks, Cost, Scorer
from core.evals.thresholds import Limit, OnPassShare
from core.experiments.rules import LETTERS

NAME = "assertions"
"""What the scorer is called that puts an example's own checks together."""


def wanted(file: File, *, name: str) -> tuple[Wanted, tuple[Remark, ...]]:
    """What the file asks for, and what of it is not understood. Every test must pass, as promptfoo has it.

    Raises: Invalid when there is nothing to run.
    """
    remarks = list(file.not_understood)
    troubles = [_trouble(one) for one in file.prompts]
    remarks += [one for one in troubles if one is not None]
    prompts = [one for one, trouble in zip(file.prompts, troubles, strict=True) if trouble is None]
    if not prompts or not file.models:
        raise _bad(f"The file has no {'prompt' if not prompts else 'model'} that is understood.", remarks)
    variants = tuple(
        Variant(prompt.label[:80], model.name, model.parameters, prompt.messages)
        for prompt in prompts
        for model in file.models
    )
    if len(variants) > len(LETTERS):
        raise _bad(f"The file makes {len(variants)} variants; a run has at most {len(LETTERS)}.", remarks)
    tests = file.tests or (Test("", {}, (), None, 1),)
    shared = tests[0].scorers if _is_shared(tests) else ()
    made: tuple[Scorer, ...] = shared or (Checks(kind="checks", name=NAME),)
    if not any(test.scorers for test in tests):
        raise _bad("The file has no assertion that is understood: nothing would be measured.", remarks)
    entries: list[tuple[Entry, str]] = []
    for number, test in enumerate(tests, 1):
        try:
            entries.append((_entry(test, number, own=not shared), test.description))
        except GreenroomError as error:
            remarks.append(Remark(test.line, "a test", error.message))
    examples = files.sourced([entry for entry, _ in entries])
    return Wanted(
        name=(file.description or name)[:120],
        variants=variants,
        scorers=made,
        limits=_limits(made),
        entries=examples,
        titles={one.source or "": title for one, (_, title) in zip(examples, entries, strict=True) if title},
    ), tuple(sorted(set(remarks), key=lambda one: (one.line, one.place, one.said)))


def _trouble(prompt: promptfoo.Prompt) -> Remark | None:
    """Why a prompt cannot be filled; None when it can."""
    try:
        asking.content_of(prompt.messages, "any")
    except Invalid as error:
        return Remark(prompt.line, "a prompt", error.message)
    if any(role == "assistant" and "{{" in text for role, text in prompt.messages):
        return Remark(prompt.line, "a prompt", "variables in an assistant's message are not filled.")
    return None


def _is_shared(tests: tuple[Test, ...]) -> bool:
    """Whether all tests have the same assertions, under different names, each of which decides for itself."""
    first = tests[0].scorers
    names = [one.name for one in first]
    return all(one.scorers == first and one.threshold is None for one in tests) and len(set(names)) == len(names)


def _entry(test: Test, number: int, *, own: bool) -> Entry:
    variables: dict[str, Any] = {
        name: value if isinstance(value, str | int | float) else orjson.dumps(value).decode()
        for name, value in test.variables.items()
        if value is not None
    }
    expected = None
    if own and test.scorers:
        checks: dict[str, Any] = {"checks": [_numbered(one, place) for place, one in enumerate(test.scorers, 1)]}
        expected = {"json": checks if test.threshold is None else checks | {"least": test.threshold}}
    example = Example(Kind.ITEM, {"variables": variables or {"example": str(number)}}, expected)
    rules.check(example)
    return Entry(example)


def _numbered(scorer: Scorer, place: int) -> Mapping[str, Any]:
    """The scorer's settings; promptfoo's metrics may share a name, checks may not."""
    told = scorer.model_dump(mode="json", exclude_defaults=True)
    return told if told["name"][:1].isdigit() else told | {"name": f"{place} {told['name']}"[:80]}


def _limits(made: tuple[Scorer, ...]) -> tuple[Limit, ...]:
    return tuple(
        OnPassShare(on="pass share", scorer=one.name, least=1.0)
        for one in made
        if not (isinstance(one, Cost) and one.most_usd is None)
    )


def _bad(message: str, remarks: list[Remark]) -> Invalid:
    said = "".join(f"\n{one}" for one in remarks[:20])
    return Invalid(f"{message}{said}", code="promptfoo", hint="Add what is missing, or write an eval file.")

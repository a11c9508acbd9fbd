"""A run as JUnit XML, which GitLab, GitHub's actions and Jenkins show beside a change.

The form is that of jenkins-junit.xsd: what failed is a `failure`, what could not be scored an `error`, what is not
applicable `skipped` (whose reason is its text: that schema gives it no attributes).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement, tostring

import regex

from core.evals.cases import Score, State
from core.evals.thresholds import Outcome

LONGEST = 10_000
# characters no XML 1.0 document may contain, not even escaped (Extensible Markup Language 1.0, section 2.2)
_FORBIDDEN = regex.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Cell:
    """One score of one example. `time_s` is how long the answer took; None: not known."""

    name: str
    scorer: str
    score: Score
    time_s: float | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """What is shown together: the cells of a variant, say."""

    name: str
    cells: tuple[Cell, ...]


def document(name: str, suites: Sequence[Suite], thresholds: Sequence[Outcome] = ()) -> bytes:
    """The report: one test case per cell (its class is suite and scorer, so that no two have one name) and, in a suite
    of their own, one per threshold. UTF-8, with its declaration."""
    root = Element("testsuites", name=clean(name))
    for suite in suites:
        made = SubElement(root, "testsuite", name=clean(suite.name))
        for cell, title in zip(suite.cells, _titles(suite.cells), strict=True):
            attributes = {"classname": clean(f"{suite.name}.{cell.scorer}"), "name": title}
            if cell.time_s is not None:
                attributes["time"] = f"{cell.time_s:.3f}"
            _tell(SubElement(made, "testcase", attributes), cell.score)
    if thresholds:
        made = SubElement(root, "testsuite", name="thresholds")
        for number, outcome in enumerate(thresholds, 1):
            title = clean(f"{number}. {outcome.limit.scorer}: {outcome.limit.on}")
            case = SubElement(made, "testcase", {"classname": "thresholds", "name": title})
            if not outcome.met:
                _because(case, "failure", "threshold", outcome.reason)
    _count(root)
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def clean(text: str) -> str:
    """The text without what XML cannot carry, and not longer than a report should be."""
    kept = _FORBIDDEN.sub("\ufffd", text[:LONGEST])
    return kept if len(text) <= LONGEST else f"{kept}…"


def _titles(cells: Sequence[Cell]) -> Iterator[str]:
    """Names of cells, a number behind those that occur again for the same scorer: a second one would hide the first."""
    seen: dict[tuple[str, str], int] = {}
    for cell in cells:
        key = (cell.scorer, clean(cell.name))
        seen[key] = seen.get(key, 0) + 1
        yield key[1] if seen[key] == 1 else f"{key[1]} ({seen[key]})"


def _tell(case: Element, score: Score) -> None:
    if score.state is State.NOT_APPLICABLE:
        SubElement(case, "skipped").text = clean(score.reason)
    elif score.state is not State.SCORED:
        _because(case, "error", score.state.value, score.reason)
    elif score.passed is False:
        _because(case, "failure", "score", score.reason)
    if score.value is not None:
        SubElement(case, "system-out").text = clean(f"{score.value:g} {score.unit}".strip())


def _because(case: Element, tag: str, kind: str, reason: str) -> None:
    SubElement(case, tag, {"type": kind, "message": clean(reason)}).text = clean(reason)


def _count(root: Element) -> None:
    for suite in root:
        suite.set("tests", str(len(suite)))
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            suite.set(name, str(sum(case.find(tag) is not None for case in suite)))
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))

"""JUnit XML, checked against the elements, attributes and order jenkins-junit.xsd allows."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from hypothesis import given
from hypothesis import strategies as st

from core.evals import junit, thresholds
from core.evals.cases import Score, failed, invalid, not_applicable, scored
from core.evals.junit import Cell, Suite

# junit-team/junit5, platform-tests/src/test/resources/jenkins-junit.xsd: attributes (required ones with "!") and
# the order of children
SCHEMA: dict[str, tuple[set[str], list[str]]] = {
    "testsuites": ({"name", "time", "tests", "failures", "disabled", "errors"}, ["testsuite"]),
    "testsuite": (
        {
            "name!",
            "tests!",
            "failures",
            "errors",
            "time",
            "disabled",
            "skipped",
            "timestamp",
            "hostname",
            "id",
            "package",
        },
        ["properties", "testcase", "system-out", "system-err"],
    ),
    "testcase": (
        {"name!", "assertions", "time", "classname", "status"},
        ["skipped", "error", "failure", "system-out", "system-err"],
    ),
    "failure": ({"type", "message"}, []),
    "error": ({"type", "message"}, []),
    "skipped": (set(), []),
    "system-out": (set(), []),
}


def check(element: Element) -> None:
    attributes, children = SCHEMA[element.tag]
    names = {name.rstrip("!") for name in attributes}
    assert set(element.keys()) <= names
    assert {name[:-1] for name in attributes if name.endswith("!")} <= set(element.keys())
    places = [children.index(child.tag) for child in element]
    assert places == sorted(places)
    for child in element:
        check(child)


def read(document: bytes) -> Element:
    root = ElementTree.fromstring(document)
    check(root)
    return root


def cells(*scores: Score) -> tuple[Cell, ...]:
    return tuple(Cell(f"example {place}", "exact", score, 0.25) for place, score in enumerate(scores, 1))


def test_a_report_counts_what_failed_what_is_broken_and_what_was_skipped() -> None:
    suite = Suite(
        "A",
        cells(
            scored(1.0, True, "Yes."), scored(0.5, False, "Half."), failed("Lost."), invalid("?"), not_applicable("–")
        ),
    )
    limits = thresholds.parse([{"on": "pass share", "scorer": "exact", "least": 0.9}])
    outcomes = thresholds.check(limits, {"exact": thresholds.measured([cell.score for cell in suite.cells])})
    root = read(junit.document("run 7", [suite], outcomes))
    assert root.attrib == {"name": "run 7", "tests": "6", "failures": "2", "errors": "2"}
    first = root[0]
    assert first.attrib == {"name": "A", "tests": "5", "failures": "1", "errors": "2", "skipped": "1"}
    assert [[child.tag for child in case] for case in first] == [
        ["system-out"],
        ["failure", "system-out"],
        ["error"],
        ["error"],
        ["skipped"],
    ]
    assert first[1].attrib == {"classname": "A.exact", "name": "example 2", "time": "0.250"}
    assert first[1][0].attrib == {"type": "score", "message": "Half."}
    assert root[1][0][0].get("message", "").startswith("“exact” is not met: 1 of 2 passed")


def test_two_examples_of_one_name_stay_two() -> None:
    same = Cell("hello", "exact", scored(1.0, True, ""))
    root = read(junit.document("run", [Suite("A", (same, same, Cell("hello", "bleu", same.score)))]))
    assert [(case.get("classname"), case.get("name")) for case in root[0]] == [
        ("A.exact", "hello"),
        ("A.exact", "hello (2)"),
        ("A.bleu", "hello"),
    ]


@given(st.text(st.characters()) | st.text("\x00\x1b\ud800\ufffe<&\"']]>\n\r"))
def test_any_text_makes_a_report_that_can_be_read(text: str) -> None:
    score = scored(0.0, False, text, unit=text)
    outcome: Any = thresholds.check(thresholds.parse([{"on": "mean", "scorer": "s", "least": 1}]), {})
    root = read(
        junit.document(text, [Suite(text, (Cell(text, text, score), Cell(text, text, not_applicable(text))))], outcome)
    )
    assert root.get("tests") == "3"


def test_a_text_of_any_length_is_cut() -> None:
    assert len(junit.document("x" * 1_000_000, [])) < 20_000

"""What is written down agrees with what is there: settings, errors, sizes, and no notes to ourselves."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from core import errors
from core.errors import GreenroomError
from core.settings import Settings
from tests.house.reading import ROOT, dotted, files, shown, tree

LONGEST = 400
# written apart, so that this file does not break its own rule
NOTES = re.compile(
    r"\b(?:TO" + r"DO|FIX" + r"ME|X" + r"XX|HA" + r"CK)\b|\bissues? #?\d|\bpull request #?\d", re.IGNORECASE
)
MACHINE = re.compile(r"(?<![\w.])/(?:wo" + r"rk|ro" + r"ot|Users)/\w|/ho" + r"me/(?!USER|user|greenroom)\w+/")


UNMERGED = re.compile(r"^(?:<{7}|>{7}) .*$", re.MULTILINE)


def table_of_settings(text: str) -> set[str]:
    """The variables in the rows of the table headed `| setting |`."""
    _, _, after = text.partition("| setting |")
    rows = after.partition("\n\n")[0]
    return set(re.findall(r"^\| `(\w+)`", rows, re.MULTILINE))


def test_every_setting_is_a_row_of_the_readme_and_every_row_a_setting() -> None:
    fields = {f"GREENROOM_{name.upper()}" for name in Settings.model_fields}
    assert table_of_settings((ROOT / "README.md").read_text(encoding="utf-8")) == fields


def family(above: type[GreenroomError] = GreenroomError) -> dict[str, tuple[str, int]]:
    """Every error of core/errors.py below this one: its parent and its status."""
    found: dict[str, tuple[str, int]] = {}
    for child in above.__subclasses__():
        if child.__module__ == errors.__name__:
            found[child.__name__] = (above.__name__, child.status)
            found |= family(child)
    return found


def drawn(text: str) -> dict[str, tuple[str, int | None]]:
    """The tree as the docstring draws it: parent and status of each name."""
    found: dict[str, tuple[str, int | None]] = {}
    above = ["GreenroomError"]
    for line in text.split("\n"):
        if (row := re.match(r"([│ ]*)[├└]── (\w+) .*?(\d{3}|its status)$", line)) is not None:
            depth = len(row[1]) // 4 + 1
            found[row[2]] = (above[depth - 1], int(row[3]) if row[3].isdigit() else None)
            above[depth:] = [row[2]]
    return found


def test_the_tree_of_errors_is_the_one_drawn() -> None:
    in_words, in_code = drawn(errors.__doc__ or ""), family()
    assert set(in_words) == set(in_code)
    for name, (parent, status) in in_words.items():
        assert in_code[name][0] == parent
        assert status is None or in_code[name][1] == status, name


def test_no_error_is_made_elsewhere() -> None:
    names = {*family(), "GreenroomError"}
    found = set()
    for file in files("core", "pages"):
        if shown(file) != "core/errors.py":
            classes = [node for node in ast.walk(tree(file)) if isinstance(node, ast.ClassDef)]
            found |= {node.name for node in classes if any(dotted(b).split(".")[-1] in names for b in node.bases)}
    assert not found


@pytest.mark.parametrize("file", files("core", "pages"), ids=shown)
def test_no_file_is_too_long_to_read(file: Path) -> None:
    assert len(file.read_text(encoding="utf-8").splitlines()) <= LONGEST


def written() -> list[Path]:
    """Every text file of the repository."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout.split(
        "\n"
    )
    kinds = {".py", ".md", ".toml", ".yml", ".yaml", ".sh", ".json", ".txt", ".mjs", ""}
    kept = [ROOT / name for name in listed if name and Path(name).suffix in kinds and not name.startswith("data/")]
    return [file for file in kept if file.is_file() and file.suffix != ".lock"] or files("core", "pages", "tests")


def told(text: str, *, is_data: bool = False) -> list[str]:
    """Notes to ourselves, paths of one machine, and what a merge could not decide."""
    rules = (MACHINE,) if is_data else (NOTES, MACHINE, UNMERGED)
    return [match[0] for rule in rules for match in rule.finditer(text)]


def test_no_note_to_ourselves_is_left_behind() -> None:
    found = {}
    for file in written():
        is_data = "data" in file.relative_to(ROOT).parts
        if words := told(file.read_text(encoding="utf-8", errors="replace"), is_data=is_data):
            found[shown(file)] = words
    assert found == {}


def test_these_rules_see_a_violation() -> None:
    note, place = "TO" + "DO", "/wo" + "rk/main"
    assert told(f"# {note}: later, see iss" + f"ue #2, in {place}") == [note, "iss" + "ue #2", place[:7]]
    assert told("ours\n" + "<" * 7 + " HEAD\ntheirs\n" + ">" * 7 + " plan\n") == ["<" * 7 + " HEAD", ">" * 7 + " plan"]
    assert told("A session is a conversation; the todos are listed.") == []
    assert table_of_settings("| setting | what |\n|---|---|\n| `GREENROOM_A` | x |\n\n| `GREENROOM_B` |") == {
        "GREENROOM_A"
    }
    tree_drawn = "GreenroomError\n├── A     one    400\n│   └── B   two     413\n└── C    three    its status\n"
    assert drawn(tree_drawn) == {"A": ("GreenroomError", 400), "B": ("A", 413), "C": ("GreenroomError", None)}

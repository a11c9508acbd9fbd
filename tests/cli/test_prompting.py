"""Prompts between a repository and the store: pulled as files, pushed back as versions, all or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.prompts import files
from core.prompts.files import PromptFile
from tests.cli.test_cli import Run, run
from tests.prompts.shelf import content

__all__ = ["run"]


def write(folder: Path, name: str, text: str, **told: str) -> Path:
    path = folder / f"{name.replace('/', '_')}.yaml"
    path.write_text(files.to_yaml(PromptFile(name, content(text), **told)), encoding="utf-8")
    return path


def test_what_is_pushed_is_pulled_as_it_was_and_pushing_it_again_changes_nothing(run: Run, tmp_path: Path) -> None:
    inside = tmp_path / "in"
    inside.mkdir()
    # the one that includes comes first by name
    write(inside, "a/refund", 'Help.\n{% include "z/tone" %}\n', note="First.")
    write(inside, "z/tone", "Be kind.\n  Always.")
    code, out, _ = run("prompt", "push", str(inside), "--label", "staging")
    assert code == 0
    assert out.count("new version 1, staging moved") == 2
    code, out, _ = run("prompt", "push", str(inside), "--check")
    assert (code, out.count("as it was")) == (0, 2)
    code, out, _ = run("prompt", "pull", "--all", "--to", str(tmp_path / "out"))
    assert code == 0
    assert (tmp_path / "out/a/refund.yaml").read_text() == (inside / "a_refund.yaml").read_text()
    assert run("prompt", "pull", "z/tone@staging", "--to", str(tmp_path / "out"), "--json")[0] == 0
    assert files.read((tmp_path / "out/z/tone.json").read_text()).content.texts == ("Be kind.\n  Always.",)
    assert "a/refund  1       staging=1" in run("prompt", "list")[1]


def test_a_check_says_what_would_change_and_changes_nothing(run: Run, tmp_path: Path) -> None:
    path = write(tmp_path, "a", "One.")
    run("key", "create", "app")
    code, out, _ = run("prompt", "push", str(path), "--check")
    assert (code, "new version 1" in out) == (1, True)
    assert run("prompt", "list")[1] == ""


def test_one_file_that_cannot_be_read_and_nothing_is_kept(run: Run, tmp_path: Path) -> None:
    write(tmp_path, "a", "One.")
    (tmp_path / "b.yaml").write_text("greenroom: prompt/1\nname: b\nmodle: m\n")
    run("key", "create", "app")
    code, _, err = run("prompt", "push", str(tmp_path))
    assert code == 2
    assert "b.yaml" in err
    assert "modle" in err
    assert run("prompt", "list")[1] == ""


def test_a_label_is_moved_by_a_command(run: Run, tmp_path: Path) -> None:
    run("prompt", "push", str(write(tmp_path, "a", "One.")), "--label", "staging")
    code, out, _ = run("prompt", "label", "a@staging", "production", "--note", "Good.")
    assert (code, out) == (0, "a@production is version 1\n")
    assert run("prompt", "label", "a", "production")[1] == "a@production is version 1, as it was\n"
    code, _, err = run("prompt", "label", "a@9", "production")
    assert (code, "no version 9" in err) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pull"], "Name the prompts"),
        (["pull", "gone"], "no prompt named"),
        (["push", "{empty}"], "no prompt's file"),
        (["push", "{circle}"], "in a circle"),
        (["push", "{twice}"], "Two files"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(run: Run, tmp_path: Path, arguments: list[str], said: str) -> None:
    for name in ("empty", "circle", "twice"):
        (tmp_path / name).mkdir()
    write(tmp_path / "circle", "a", '{% include "b" %}')
    write(tmp_path / "circle", "b", '{% include "a" %}')
    write(tmp_path / "twice", "a", "One.").rename(tmp_path / "twice/x.yaml")
    write(tmp_path / "twice", "a", "Two.")
    given = [
        one.format(empty=tmp_path / "empty", circle=tmp_path / "circle", twice=tmp_path / "twice") for one in arguments
    ]
    run("prompt", "push", str(write(tmp_path, "there", "Here.")))
    code, out, err = run("prompt", *given)
    assert code in (1, 2)
    assert out == ""
    assert said in err

"""Files of the command line are put in place whole, or what was there stays."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from core.cli import writing
from core.errors import Invalid


def test_a_file_is_whole_or_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "deep" / "a.yaml"
    writing.write(path, b"one")
    path.chmod(0o640)
    writing.write(path, b"two")
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"two", 0o640)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Invalid, match=r"a\.yaml cannot be written: No space left on device\. Name another place"):
        writing.write(path, b"three")
    assert path.read_bytes() == b"two"
    assert [one.name for one in path.parent.iterdir()] == ["a.yaml"]


def test_a_link_is_replaced_and_what_it_leads_to_is_left_alone(tmp_path: Path) -> None:
    precious, link = tmp_path / "precious", tmp_path / "link.yaml"
    precious.write_text("mine")
    link.symlink_to(precious)
    writing.write(link, b"new")
    assert (precious.read_text(), link.read_text(), link.is_symlink()) == ("mine", "new", False)


def test_what_cannot_be_written_is_known_beforehand(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("")
    writing.check(tmp_path / "new" / "a.xml")
    assert list((tmp_path / "new").iterdir()) == []
    for path in (tmp_path / "folder", tmp_path / "file" / "a.xml"):
        with pytest.raises(Invalid, match="cannot be written"):
            writing.check(path)
        with pytest.raises(Invalid, match="cannot be written"):
            writing.write(path, b"")


def test_a_device_is_written_to_and_stays(capfd: Any) -> None:
    writing.check(Path("/dev/stdout"))
    writing.write(Path("/dev/stdout"), b"told")
    assert capfd.readouterr().out == "told"
    assert Path("/dev/stdout").is_symlink()

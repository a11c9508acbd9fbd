"""How deep JSON of strangers may be nested."""

from __future__ import annotations

import orjson
import pytest

from core.wire import nesting


def nested(levels: int, start: str = "[", end: str = "]") -> bytes:
    return (start * levels + "1" + end * levels).encode()


@pytest.mark.parametrize(("start", "end"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
def test_what_is_read_can_be_written_and_deeper_is_refused(start: str, end: str) -> None:
    per = start.count("[") + start.count("{")
    assert orjson.dumps(nesting.loads(nested(nesting.DEEPEST // per, start, end)))
    for levels in (nesting.DEEPEST // per + 1, 300, 1000):
        with pytest.raises(ValueError, match=r"deep|depth"):
            nesting.loads(nested(levels, start, end))


def test_many_brackets_beside_each_other_are_not_deep() -> None:
    assert len(nesting.loads(b"[" + b",".join([b"[1]"] * 5_000) + b"]")) == 5_000


def test_brackets_in_words_are_words() -> None:
    assert nesting.loads('["' + "[{" * 5_000 + '"]') == ["[{" * 5_000]

"""Files in and out: what left reads back the same, what is hostile is a sentence, formats keep their shape."""

from __future__ import annotations

import csv
import io
import random
import string
from collections.abc import Iterator, Sequence
from typing import Any

import orjson
import pytest
from openai.types.chat import ChatCompletionMessageParam
from pyarrow import parquet
from pydantic import TypeAdapter

from core.datasets import actions, export, intake, mapping
from core.datasets.export import Order
from core.datasets.mapping import Columns
from core.datasets.queries import ItemView
from core.datasets.rules import Entry, Example, Kind
from core.errors import Invalid, NotFound
from tests.datasets.sets import ANN, Sets, entry
from tests.datasets.test_reading import file

PIXEL = "data:image/png;base64,iVBORw0KGgo="
QA = Columns(input="question", expected="answer")


def taken(sets: Sets, data: bytes, name: str, columns: Columns | None = None, kind: Kind = Kind.ITEM) -> intake.Outcome:
    """Everything a file has, put into the dataset."""

    def put(rows: Sequence[tuple[int, Entry]]) -> Sequence[tuple[int, str]]:
        refused: list[tuple[int, str]] = sets.do(actions.take, entries=rows, origin=name, ids=sets.ids)
        return refused

    columns = columns or mapping.guess(intake.names(intake.first(file(data), name)))
    return intake.take(file(data), name, columns, kind, put)


def written(sets: Sets, format: str, **told: Any) -> bytes:  # noqa: A002
    return b"".join(export.pieces(sets.db, Order(sets.id, (1,), **told), format))


def facts(row: ItemView) -> tuple[Any, ...]:
    return (row.example, row.notes, row.tags, row.split, row.source, row.files)


def all_sorts(seed: int) -> list[Entry]:
    """Examples of every kind, with what files find hard."""
    chance = random.Random(seed)
    texts = ["=1+1", "plain", '{"json": 1}', "[1]", 'a,b\n"c";d\te', "ünï ☃ \u2028", " spaced ", "-5", "'quoted"]
    texts += ["".join(chance.choices(string.printable, k=20)).strip() or "x" for _ in range(5)]
    picture = [{"type": "text", "text": "What?"}, {"type": "image_url", "image_url": {"url": PIXEL}}]
    found = []
    for number, text in enumerate(texts):
        kind = [Kind.ITEM, Kind.TUNING, Kind.PREFERENCE][number % 3]
        told: dict[str, Any] = {"notes": text, "tags": ("a", "b c"), "split": "test", "source": f"s{seed}_{number}"}
        found.append(entry(f"{number} {text}", text, kind=kind, **told))
        found.append(entry(text, f"{text}.", source=f"t{seed}_{number}"))
    more: list[tuple[dict[str, Any], Any]] = [
        ({"variables": {"city": "Bonn", "n": 3}}, {"json": {"a": [1, 2.5, None]}}),
        ({"messages": [{"role": "user", "content": picture}]}, None),
        ({"messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]}, None),
    ]
    return found + [
        Entry(Example(Kind.ITEM, given, told), source=f"m{seed}_{n}", files={f"mark{n}": "=photo, of ünï.png"})
        for n, (given, told) in enumerate(more)
    ]


@pytest.mark.parametrize("format", ["jsonl", "parquet", "csv"])
@pytest.mark.parametrize("seed", [1, 2])
def test_what_was_taken_away_reads_back_the_same(sets: Sets, format: str, seed: int) -> None:  # noqa: A002
    sets.write(*all_sorts(seed))
    before = sets.listed()
    data = written(sets, format)
    other = Sets(sets.db, sets.ids, sets.at)
    with sets.db.write() as session:
        other.id = actions.create(session, project_id=1, name="Copy", by=ANN, at=sets.at).id or 0
    outcome = taken(other, data, f"copy.{format}")
    assert (outcome.reasons, outcome.stopped, outcome.taken) == ([], "", len(before))
    if format == "csv":  # of line ends and apostrophes, text has fewer than JSON
        tidy = [tuple(str(fact).replace("\\r", "").replace("'", "") for fact in facts(row)) for row in before]
        again = [tuple(str(fact).replace("\\r", "").replace("'", "") for fact in facts(row)) for row in other.listed()]
        assert again == tidy
    else:
        assert [facts(row) for row in other.listed()] == [facts(row) for row in before]


def test_the_same_file_is_not_taken_twice(sets: Sets) -> None:
    data = b"question,answer\nOne?,Yes.\nTwo?,No.\n"
    assert taken(sets, data, "qa.csv", QA).taken == 2
    again = taken(sets, data, "qa.csv", QA)
    assert (again.taken, again.refused) == (0, 2)
    assert "has this answer already" in again.reasons[0][1]


def test_rows_of_one_file_that_say_the_same_are_in_one_split_and_of_one_source_there_is_one(sets: Sets) -> None:
    sets.do(actions.plan, percents={"train": 50})
    data = "question,split,source\nMay I?,test,a\n may  i?,train,b\nMAY I?,,c\nOther?,,a\n"
    outcome = taken(sets, data.encode(), "qa.csv")
    assert (outcome.taken, [number for number, _ in outcome.reasons]) == (3, [5])
    assert [row.split for row in sets.listed()] == ["test", "test", "test"]


def test_good_rows_are_taken_and_the_others_come_back_with_their_reasons(sets: Sets) -> None:
    data = '\ufeffquestion;answer\r\nOne?;Yes.\r\n;No question.\r\nThree?;a;b\r\n\'=Two?;"x\r\ny"\r\n'.encode()
    outcome = taken(sets, data, "qa.csv", QA)
    assert outcome.taken == 2
    assert outcome.reasons == [
        (3, "Row 3: It has no question."),
        (4, "Row 4 has 3 cells, and the header 2."),
    ]
    assert sets.said() == ["One?", "=Two?"]
    lines = [orjson.loads(line) for line in bytes(outcome.refused_file).splitlines()]
    assert [(line["row"], line["values"]) for line in lines] == [
        (3, {"question": "", "answer": "No question."}),
        (4, {}),
    ]


def test_a_source_is_kept_without_what_no_store_can_keep(sets: Sets) -> None:
    data = b"".join(orjson.dumps({"input": f"q {n}", "source": f"a\x00{n}"}) + b"\n" for n in range(3))
    outcome = taken(sets, data, "rows.jsonl")
    assert (outcome.taken, outcome.refused) == (3, 0)
    assert [row.source for row in sets.listed()] == [f"a{n}" for n in range(3)]


def test_columns_are_guessed_by_what_people_call_them() -> None:
    assert mapping.guess(["Question", "reference", "Tags", "x"]) == Columns(
        input="Question", expected="reference", tags="Tags"
    )
    assert mapping.guess(["city", "days", "answer"]) == Columns(expected="answer", variables=("city", "days"))
    assert mapping.guess_kind(mapping.guess(["prompt", "chosen", "rejected"])) is Kind.PREFERENCE
    assert mapping.guess_kind(mapping.guess(["messages"])) is Kind.TUNING
    assert mapping.guess_kind(mapping.guess(["question", "answer"])) is Kind.ITEM


def made(row: dict[str, Any], kind: Kind = Kind.ITEM) -> Example:
    return mapping.entry(row, mapping.guess(row), kind, source="s").example


def test_rows_that_people_have_become_examples() -> None:
    asked = [{"role": "user", "content": "Hi?"}]
    yes, no = {"role": "assistant", "content": "Yes."}, {"role": "assistant", "content": "No."}
    assert made({"messages": [*asked, yes]}) == Example(Kind.ITEM, {"messages": asked}, yes)
    assert made({"messages": [*asked, yes]}, Kind.TUNING) == Example(Kind.TUNING, {"messages": [*asked, yes]})
    assert made({"prompt": "Hi?", "chosen": "Yes.", "rejected": "No."}, Kind.PREFERENCE) == Example(
        Kind.PREFERENCE, {"messages": asked}, {"preferred_output": [yes], "non_preferred_output": [no]}
    )
    guide = {"input": {"messages": asked}, "preferred_output": [yes], "non_preferred_output": [no]}
    assert made(guide, Kind.PREFERENCE).line == guide
    assert made({"question": "Hi?", "answer": {"total": 3}}).expected == {"json": {"total": 3}}
    assert made({"question": "Hi?"}).expected is None
    assert made({"city": "Bonn", "days": "3"}) == Example(Kind.ITEM, {"variables": {"city": "Bonn", "days": "3"}})


def test_names_of_attached_files_are_an_object_of_names() -> None:
    def names(given: Any) -> dict[str, str]:
        row = {"question": "Who?", "file_names": given}
        return dict(mapping.entry(row, mapping.guess(row), Kind.ITEM, source="s").files)

    assert names('{"mark": "a.png"}') == names({"mark": "a.png"}) == {"mark": "a.png"}
    assert names("") == names(None) == names({}) == names("{}") == {}
    for strange in ("a.png", '{"mark": 3}', ["a.png"], "{" * 100, 7):
        with pytest.raises(Invalid, match="names attached files in another way"):
            names(strange)


@pytest.mark.parametrize(
    ("part", "why"),
    [
        ({"type": "image_url", "image_url": {"url": "https://attack.invalid/x.png"}}, "does not lie in the row"),
        ({"type": "image_url", "image_url": {"url": "data:text/html;base64,AAAA"}}, "does not lie in the row"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,no!"}}, "not base64"),
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 7_000_000}}, "more than 5 MB"),
        ({"type": "input_audio", "input_audio": {"data": "AAAA", "format": "exe"}}, "neither wav nor mp3"),
    ],
)
def test_pictures_and_sounds_lie_in_the_row_or_are_refused(part: dict[str, Any], why: str) -> None:
    with pytest.raises(Invalid, match=why):
        made({"messages": [{"role": "user", "content": [part]}]})
    made({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PIXEL}}]}]})


def test_no_cell_of_a_csv_is_a_formula(sets: Sets) -> None:
    sets.write(*all_sorts(3))
    rows: Iterator[list[str]] = csv.reader(io.StringIO(written(sets, "csv").decode()))
    assert not [cell for row in rows for cell in row if cell.lstrip().startswith(("=", "+", "-", "@"))]


def test_files_for_fine_tuning_hold_only_what_their_documents_allow(sets: Sets) -> None:
    sets.write(*all_sorts(4))
    with pytest.raises(Invalid):
        written(sets, "exe")
    rows = [orjson.loads(line) for line in written(sets, "tuning").split(b"\n") if line]
    for row in rows:
        assert set(row) <= {"messages", "tools"}
        assert row["messages"][-1]["role"] == "assistant"
        TypeAdapter(list[ChatCompletionMessageParam]).validate_python(row["messages"])
    pairs = [orjson.loads(line) for line in written(sets, "preference").split(b"\n") if line]
    assert pairs
    assert all(set(pair) == {"input", "preferred_output", "non_preferred_output"} for pair in pairs)
    counts = export.survey(sets.db, Order(sets.id, (1,)))
    assert counts == {"seen": len(sets.listed()), "tuning": len(rows), "preference": len(pairs)}


def conversation(*parts: Any, role: str = "user") -> dict[str, Any]:
    said = [{"role": "developer", "content": "Be brief."}, {"role": role, "content": list(parts)}]
    return {"messages": [*said, {"role": "user", "content": "So?"}, {"role": "assistant", "content": "Yes."}]}


def test_a_fine_tuning_file_has_systems_for_developers_and_no_picture_that_openai_refuses(sets: Sets) -> None:
    picture = {"type": "image_url", "image_url": {"url": PIXEL}}
    moving = {"type": "image_url", "image_url": {"url": "data:image/gif;base64,AAAA"}}
    for given in (
        conversation(picture), conversation(*[picture] * 11), conversation(moving), conversation(picture, role="system")
    ):  # fmt: skip
        sets.write(Entry(Example(Kind.TUNING, given)))
    sets.write(
        Entry(
            Example(
                Kind.PREFERENCE,
                {"messages": [*conversation()["messages"][:1], {"role": "user", "content": "So?"}]},
                entry("x", kind=Kind.PREFERENCE).example.expected,
            )
        )
    )
    (line,) = [orjson.loads(line) for line in written(sets, "tuning").splitlines()]
    assert [message["role"] for message in line["messages"]] == ["system", "user", "user", "assistant"]
    assert line["messages"][1]["content"] == [picture]
    (pair,) = [orjson.loads(line) for line in written(sets, "preference").splitlines()]
    assert pair["input"]["messages"][0]["role"] == "system"
    assert sets.listed()[0].input["messages"][0]["role"] == "developer"


def test_which_answers_are_trained_on_is_kept_in_rows_to_fine_tune_on_and_nowhere_else() -> None:
    said = [
        {"role": "user", "content": "Hi?"},
        {"role": "assistant", "content": "Hi.", "weight": 0},
        {"role": "user", "content": "So?"},
        {"role": "assistant", "content": "Yes.", "weight": 1},
    ]
    assert made({"messages": said}, Kind.TUNING).input["messages"] == said
    item = made({"messages": said})
    assert "weight" not in str([item.input, item.expected])
    with pytest.raises(Invalid, match="weight"):
        made({"messages": [{**said[0], "weight": 1}, said[1]]}, Kind.TUNING)


def test_a_version_a_split_or_a_kind_is_taken_away_by_itself(sets: Sets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_PER_READ", 2)
    one, *_ = sets.write(*(entry(f"{n}?", split="test" if n else "train") for n in range(5)))
    sets.keep()
    sets.remove(one)

    def asked(**told: Any) -> list[str]:
        lines = [orjson.loads(line) for line in written(sets, "jsonl", **told).split(b"\n") if line]
        return [line["input"]["messages"][0]["content"] for line in lines]

    assert asked(version=1) == ["0?", "1?", "2?", "3?", "4?"]
    assert asked() == ["1?", "2?", "3?", "4?"]
    assert asked(version=1, split="train") == ["0?"]
    assert asked(kind=Kind.TUNING) == []
    with pytest.raises(NotFound, match="no such version"):
        written(sets, "jsonl", version=2)
    with pytest.raises(NotFound):
        b"".join(export.pieces(sets.db, Order(sets.id, (2,)), "jsonl"))


def test_a_parquet_file_leaves_in_pieces(sets: Sets, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_PER_READ", 2)
    sets.write(*(entry(f"{n}?") for n in range(5)))
    found = list(export.pieces(sets.db, Order(sets.id, (1,)), "parquet"))
    assert len([piece for piece in found if piece]) == 4
    assert parquet.read_table(io.BytesIO(b"".join(found))).num_rows == 5


def test_a_column_that_only_later_rows_have_is_offered() -> None:
    """Forty questions of which the last ten have a reference answer, as in MT-bench."""
    rows = [{"question": f"q{n}"} | ({"reference": "r"} if n >= 30 else {}) for n in range(40)]
    data = file(b"\n".join(orjson.dumps(row) for row in rows))
    assert mapping.guess(intake.names(intake.first(data, "rows.jsonl"))).expected == "reference"

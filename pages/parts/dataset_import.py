"""A file becomes examples: choose it, say which column is what, look at the first rows, take the rest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO

import streamlit as st

from core import clock, runtime
from core.datasets import actions, intake, mapping, reading
from core.datasets.mapping import Columns
from core.datasets.queries import DatasetView
from core.datasets.rules import Entry, Kind
from core.people.rules import Permission, Principal
from pages.parts import acting, amounts, dataset_list, hostile

_OUTCOME, _BEGINNING = "dataset_outcome", "dataset_beginning"
_LABELS = {
    "input": "What is asked",
    "expected": "Expected answer",
    "rejected": "The worse answer",
    "system": "System text",
    "notes": "Notes",
    "split": "Split",
    "tags": "Tags",
    "kind": "Kind of each row",
    "source": "Where it is from",
    "file_names": "Names of attached files",
}


def draw(dataset: DatasetView, by: Principal) -> None:
    """The file and what it will become."""
    if not by.may(Permission.DATASET_CHANGE, dataset.project_id):
        st.caption("Your roles read datasets; who may change them imports files.")
        return
    _told(dataset)
    number = st.session_state.get("dataset_file_number", 0)
    file = st.file_uploader(
        "CSV, JSON lines or Parquet", type=["csv", "tsv", "jsonl", "ndjson", "json", "parquet"],
        key=f"dataset_file_{number}",
        help=f"Up to {reading.MOST_BYTES // 1024 // 1024} MB and {reading.MOST_ROWS:,} rows; CSV as UTF-8, its first "
        "row names the columns. Pictures and sounds lie in the row as data: addresses.",
    )  # fmt: skip
    if file is None:
        st.caption("Valid rows are taken; the others come back as a file, each with the reason.")
        return
    file_id, rows = st.session_state.get(_BEGINNING, ("", ()))
    if file_id != file.file_id:
        rows = intake.first(file, file.name)
        st.session_state[_BEGINNING] = (file.file_id, rows)
    columns, kind = _columns(intake.names(rows), file.file_id)
    shown = rows[: intake.SHOWN]
    _preview(shown, intake.outcomes(shown, columns, kind))
    if st.button("Import", key="dataset_import_go", icon=":material/upload:", type="primary"):
        _take(dataset, file, file.name, columns, kind, by)


def _columns(names: Sequence[str], file_id: str) -> tuple[Columns, Kind]:
    guessed = mapping.guess(names)
    kinds = list(dataset_list.KINDS)
    kind = st.radio(
        "What the rows are", kinds, index=kinds.index(mapping.guess_kind(guessed)), horizontal=True,
        format_func=dataset_list.KINDS.__getitem__, key=f"dataset_kind_{file_id}",
        help="A column that is given as “Kind of each row” says it instead.",
    )  # fmt: skip
    told: dict[str, Any] = {}
    with st.expander("Which column is what", icon=":material/view_column:", expanded=not guessed.input):
        for start in range(0, len(mapping.NAMES), 3):
            for column, name in zip(st.columns(3), mapping.NAMES[start : start + 3], strict=False):
                options = ["", *names]
                told[name] = column.selectbox(
                    _LABELS[name], options, index=options.index(getattr(guessed, name)),
                    format_func=lambda value: hostile.line(value) or "none", key=f"dataset_column_{name}_{file_id}",
                )  # fmt: skip
        variables = st.multiselect(
            "Variables that fill a prompt", names, default=list(guessed.variables), format_func=hostile.line,
            key=f"dataset_variables_{file_id}",
        )  # fmt: skip
    return Columns(**told, variables=tuple(variables)), Kind(kind)


def _preview(first: Sequence[reading.Row], outcomes: Sequence[Entry | str]) -> None:
    rows = []
    for row, outcome in zip(first, outcomes, strict=True):
        if isinstance(outcome, str):
            rows.append({"row": row.number, "becomes": "", "expected": "", "trouble": hostile.line(outcome)})
            continue
        said = mapping.row(outcome, "")
        rows.append(
            {"row": row.number, "becomes": hostile.line(said["input"]), "expected": hostile.line(said["expected"]),
             "trouble": ""}
        )  # fmt: skip
    good = sum(not isinstance(outcome, str) for outcome in outcomes)
    st.caption(f"The first {amounts.count(len(rows), 'row')}, of which {good} can be taken:")
    column = st.column_config
    st.dataframe(
        rows, key="dataset_preview", hide_index=True, alt=f"The first {len(rows)} rows, {good} can be taken",
        column_config={
            "row": column.NumberColumn("Row", width=60),
            "becomes": column.TextColumn("What is asked"),
            "expected": column.TextColumn("Expected"),
            "trouble": column.TextColumn("Not taken, because"),
        },
    )  # fmt: skip


def _take(dataset: DatasetView, file: BinaryIO, name: str, columns: Columns, kind: Kind, by: Principal) -> None:
    progress, seen = st.empty(), [0]

    def put(rows: Sequence[tuple[int, Entry]]) -> Sequence[tuple[int, str]]:
        refused = acting.attempt(
            actions.take, dataset_id=dataset.id, entries=rows, origin=name, by=by, at=clock.now(),
            ids=runtime.current().ids,
        )  # fmt: skip
        seen[0] += len(rows)
        progress.caption(f"{amounts.count(seen[0], 'row')} so far…")
        return refused

    st.session_state[_OUTCOME] = (dataset.id, intake.take(file, name, columns, kind, put))
    st.session_state["dataset_file_number"] = st.session_state.get("dataset_file_number", 0) + 1
    st.rerun()


def _told(dataset: DatasetView) -> None:
    """What became of the last file."""
    dataset_id, outcome = st.session_state.get(_OUTCOME, (0, None))
    if outcome is None or dataset_id != dataset.id:
        return
    with st.container(border=True):
        st.markdown(
            f":material/check: **{amounts.count(outcome.taken, 'example')} taken**"
            + (f", {amounts.count(outcome.refused, 'row')} not." if outcome.refused else ".")
        )
        if outcome.stopped:
            st.warning(hostile.sentence(outcome.stopped), icon=":material/warning:")
        for _, why in outcome.reasons:
            st.caption(hostile.sentence(why))
        if outcome.refused:
            st.download_button(
                "The rows that were not taken", bytes(outcome.refused_file), file_name="not-taken.jsonl",
                mime="application/x-ndjson", key="dataset_refused", icon=":material/download:", on_click="ignore",
            )  # fmt: skip

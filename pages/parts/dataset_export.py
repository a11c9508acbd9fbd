"""Take examples away, of the draft or a version, in the format that is needed; the card goes beside."""

from __future__ import annotations

import streamlit as st

from core import clock, runtime
from core.datasets import actions, cards, export, queries, versions
from core.datasets.export import Order
from core.datasets.queries import DatasetView
from core.datasets.rules import Kind
from core.people.rules import Principal
from pages.parts import acting, amounts, dataset_list, hostile, reads

_FORMATS = {
    "jsonl": ("JSON lines", "Everything, and Greenroom reads it again."),
    "csv": ("CSV", "For a spreadsheet; what it would run as a formula is text."),
    "parquet": ("Parquet", "For data tools."),
    "tuning": ("OpenAI fine-tuning", "Conversations that end in the approved answer, one per line."),
    "preference": ("OpenAI preferences", "A better and a worse answer to each question, one per line."),
}
_DRAFT, _ALL = "draft", "all"


def draw(dataset: DatasetView, by: Principal) -> None:
    """Which examples, then one button per format."""
    mine = (dataset.project_id,)
    kept = reads.fresh(versions.versions, dataset.id, project_ids=mine)
    splits = reads.fresh(queries.by_split, dataset.id, project_ids=mine)
    with st.container(horizontal=True):
        version = st.selectbox(
            "Version", [*(str(row.number) for row in kept), _DRAFT], key="dataset_export_version", width=150,
            format_func=lambda number: number if number == _DRAFT else f"version {number}",
        )  # fmt: skip
        kind = st.selectbox(
            "Kind", [_ALL, *Kind], key="dataset_export_kind", width=150,
            format_func=lambda kind: kind if kind == _ALL else dataset_list.KINDS[Kind(kind)],
        )  # fmt: skip
        split = st.selectbox(
            "Split", [_ALL, *(name for name in splits if name)], key="dataset_export_split", width=150,
            format_func=hostile.line,
        )  # fmt: skip
    order = Order(
        dataset.id, mine, None if version == _DRAFT else int(version), None if kind == _ALL else Kind(kind),
        None if split == _ALL else split,
    )  # fmt: skip
    counts = export.survey(runtime.current().db, order)
    st.caption(_says(counts))
    for name, (label, why) in _FORMATS.items():
        _button(dataset, order, name, label, why, by, is_empty=not counts.get(name, counts["seen"]))
    st.download_button(
        "The card", lambda: _card(dataset, order, counts), file_name=f"{_stem(dataset, order)}-card.md",
        mime="text/markdown", key="dataset_export_card", icon=":material/description:", on_click="ignore",
    )  # fmt: skip


def _button(
    dataset: DatasetView, order: Order, name: str, label: str, why: str, by: Principal, *, is_empty: bool
) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            label, lambda: _file(dataset, order, name, by), width=220, disabled=is_empty,
            file_name=f"{_stem(dataset, order)}.{export.ENDINGS[name]}", mime=export.MEDIA_TYPES[name],
            key=f"dataset_export_{name}", icon=":material/download:", on_click="ignore",
        )  # fmt: skip
        st.caption(why)


def _says(counts: dict[str, int]) -> str:
    pairs = amounts.count(counts["preference"], "preference")
    return (
        f"{amounts.count(counts['seen'], 'example')}. The files of OpenAI hold what has their shape: "
        f"{counts['tuning']:,} to fine-tune on, {pairs}."
    )


def _file(dataset: DatasetView, order: Order, name: str, by: Principal) -> bytes:
    """The file, written when it is asked for; the trail knows who took it."""
    what = f"{name}, {_told(order)}"
    acting.attempt(
        actions.note_export, dataset_id=dataset.id, project_id=dataset.project_id, what=what, by=by, at=clock.now()
    )
    return b"".join(export.pieces(runtime.current().db, order, name))


def _card(dataset: DatasetView, order: Order, counts: dict[str, int]) -> str:
    facts = {"examples": counts["seen"], "can be fine-tuned on": counts["tuning"], "preferences": counts["preference"]}
    return cards.markdown(dataset.card, name=dataset.name, version=_told(order), facts=facts)


def _told(order: Order) -> str:
    parts = ["draft" if order.version is None else f"version {order.version}", order.kind or "", order.split or ""]
    return ", ".join(filter(None, parts))


def _stem(dataset: DatasetView, order: Order) -> str:
    version = "draft" if order.version is None else f"v{order.version}"
    return f"dataset-{dataset.id}-{version}"

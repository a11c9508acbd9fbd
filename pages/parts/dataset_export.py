"""Take examples away, of the draft or a version, in the format that is needed; the card goes beside."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core import clock, runtime
from core.datasets import cards, export, queries, versions
from core.datasets.queries import DatasetView
from core.datasets.rules import Kind
from core.gateway import dataset_exports, tickets
from core.gateway.dataset_exports import Order
from core.people.rules import Principal
from pages.parts import amounts, dataset_list, hostile, reads

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
        by.actor, dataset.project_id, dataset.id, "jsonl", clock.now(), None if version == _DRAFT else int(version),
        None if kind == _ALL else Kind(kind), None if split == _ALL else split,
    )  # fmt: skip
    counts = export.survey(runtime.current().db, order.examples)
    total = reads.fresh(queries.count, dataset_id=dataset.id, version=order.version, kind=order.kind, split=order.split)
    st.caption(_says(counts, total))
    for name, (label, why) in _FORMATS.items():
        _button(
            replace(order, format=name),
            label,
            why,
            by,
            is_empty=not counts.get(name, total) and counts["seen"] >= total,
        )
    st.download_button(
        "The card", lambda: _card(dataset, order, counts, total), file_name=f"{order.stem}-card.md",
        mime="text/markdown", key="dataset_export_card", icon=":material/description:", on_click="ignore",
    )  # fmt: skip
    st.caption("The links end after 15 minutes. Every export is noted in the audit trail.")


def _button(order: Order, label: str, why: str, by: Principal, *, is_empty: bool) -> None:
    address = tickets.link(dataset_exports.ticket(runtime.current().vault, order, by=by))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.link_button(
            label, address, width=220, disabled=is_empty, key=f"dataset_export_{order.format}",
            icon=":material/download:",
        )  # fmt: skip
        st.caption(why)


def _says(counts: dict[str, int], total: int) -> str:
    pairs = amounts.count(counts["preference"], "preference")
    of_them = f" of the first {counts['seen']:,}" if counts["seen"] < total else ""
    few = any(0 < counts[name] < export.LEAST_TRAINED for name in ("tuning", "preference"))
    return (
        f"{amounts.count(total, 'example')}. The files of OpenAI hold what has their shape{of_them}: "
        f"{counts['tuning']:,} to fine-tune on, {pairs}."
        + (f" OpenAI takes files of {export.LEAST_TRAINED} lines or more." if few and not of_them else "")
    )


def _card(dataset: DatasetView, order: Order, counts: dict[str, int], total: int) -> str:
    seen = "" if counts["seen"] >= total else f" of the first {counts['seen']:,}"
    facts = {
        "examples": total,
        f"can be fine-tuned on{seen}": counts["tuning"],
        f"preferences{seen}": counts["preference"],
    }
    return cards.markdown(dataset.card, name=dataset.name, version=order.which, facts=facts)

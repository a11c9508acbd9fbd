"""How examples are divided into parts: shares by a rule that moves nobody when they grow, or one example by hand."""

from __future__ import annotations

import streamlit as st

from core import clock, runtime
from core.datasets import actions, queries, splits
from core.datasets.queries import DatasetView
from core.people.rules import Permission, Principal
from pages.parts import acting, amounts, hostile, reads


def draw(dataset: DatasetView, by: Principal) -> None:
    """What each split has, and the shares."""
    counts = reads.fresh(queries.by_split, dataset.id, project_ids=(dataset.project_id,))
    planned = {name: places // 100 for name, places in splits.shares(dataset.plan).items()}
    total = sum(counts.values())
    for name, count in sorted(counts.items()):
        part = f"{100 * count / total:.0f} %" if total else ""
        label = hostile.label(name) if name else "without a split"
        st.markdown(f"**{label}** · {amounts.count(count, 'example')} · {part}")
    st.caption(
        "A rule puts each example where its question says: a question that comes twice is in one split only, and when "
        "a share grows, nobody who has a split moves. What you put somewhere by hand, in the example's form, stays."
    )
    if not by.may(Permission.DATASET_CHANGE, dataset.project_id):
        return
    asked: dict[str, int] = {}
    with st.form("dataset_shares"):
        names = [*dict.fromkeys([*planned, *(splits.USUAL if not planned else ())])]
        with st.container(horizontal=True):
            for place, name in enumerate(names):
                start = planned.get(name, 0) if planned else splits.USUAL[name]
                asked[name] = int(
                    st.number_input(
                        f"{hostile.label(name)}, percent",
                        0,
                        100,
                        start,
                        key=f"dataset_share_{place}_{start}",
                        width=140,
                    )
                )
        with st.container(horizontal=True):
            more = st.text_input("Another split", key="dataset_share_more", max_chars=32, width=140)
            share = st.number_input("Its percent", 0, 100, 0, key="dataset_share_more_percent", width=140)
        pressed = st.form_submit_button("Divide", key="dataset_divide", icon=":material/call_split:", type="primary")
    if pressed:
        _divide(dataset, asked | ({more: int(share)} if more.strip() else {}), by)


def _divide(dataset: DatasetView, percents: dict[str, int], by: Principal) -> None:
    given = {"dataset_id": dataset.id, "by": by, "at": clock.now()}
    if not acting.done(actions.plan, percents=percents, **given):  # type: ignore[arg-type]
        return
    moved, after = 0, 0
    with st.spinner("Dividing…"):
        while True:
            step = acting.do(
                actions.assign, dataset_id=dataset.id, after=after, by=by, at=clock.now(), ids=runtime.current().ids
            )
            if step is None:
                return
            moved += step[0]
            if step[1] is None:
                break
            after = step[1]
    acting.tell(f"{amounts.count(moved, 'example')} moved.")

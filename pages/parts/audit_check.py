"""Whether the trail is whole: every row read, every link of the chain checked, said in a sentence."""

from __future__ import annotations

import streamlit as st

from core.audit import queries
from pages.parts import amounts, hostile, reads


def button() -> bool:
    """The button that asks."""
    return st.button(
        "Verify the trail",
        key="audit_verify",
        icon=":material/verified:",
        help="Reads every row and checks that none was changed, removed, added or moved.",
    )


def draw() -> None:
    """The verdict; the last hash is worth keeping elsewhere."""
    with st.spinner("Reading the whole trail…"):
        verdict = reads.fresh(queries.verify)
        last = reads.fresh(queries.last_hash)
    if not verdict.ok:
        st.error(
            hostile.sentence(
                f"Row {verdict.first_bad}: {verdict.why}. Before it: {amounts.count(verdict.rows, 'row')} as written. "
                "Somebody changed the store outside Greenroom: compare it with your last backup."
            ),
            title="The trail was tampered with.",
            icon=":material/gpp_bad:",
        )
        return
    st.success(
        f"Each of its {amounts.count(verdict.rows, 'row')} follows from the one before it. To prove later that nothing "
        f"up to here was rewritten, keep this hash somewhere else: `{last}`",
        title="The trail is whole.",
        icon=":material/verified:",
    )

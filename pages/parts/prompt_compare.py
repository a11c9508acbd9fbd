"""Two versions of a prompt side by side: model, parameters, messages, variables, schema and tools."""

from __future__ import annotations

import streamlit as st

from core.people.rules import Principal
from core.prompts import queries
from core.prompts.compare import Difference, differences
from core.prompts.views import PromptView, VersionView
from pages.parts import hostile, reads, review_text

_MOST = 200


def draw(row: PromptView, by: Principal) -> None:
    """The choice of two, then what is different."""
    if row.newest < 2:
        st.info("There is only one version. Save another, and the two can be compared.", icon=":material/difference:")
        return
    found = reads.fresh(queries.version_list, row.id, project_ids=(row.project_id,), limit=_MOST)
    numbers = [one.number for one in found]
    after = _number("version", numbers, numbers[0])
    parent = next((one.parent for one in found if one.number == after), None)
    before = _number("beside", numbers, row.labels.get("production", parent or numbers[-1]))
    if before == after and "beside" not in st.query_params:
        before = parent if parent in numbers else next(number for number in numbers if number != after)
    labels = {number: " ".join(name for name, at in row.labels.items() if at == number) for number in numbers}
    told = {number: f"Version {number}{f' ({labels[number]})' if labels[number] else ''}" for number in numbers}
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        _choose("From", "beside", numbers, before, told)
        _choose("To", "version", numbers, after, told)
        everything = st.toggle("What is the same, too", key="prompt_same")
    by_number = {one.number: one for one in found}
    beside(by_number[before], by_number[after], with_same=everything)


def beside(old: VersionView, new: VersionView, *, with_same: bool = False) -> None:
    """What is different between two versions."""
    parts = differences(old.content, new.content, with_same=with_same)
    pins = [name for name in {**old.pinned, **new.pinned} if old.pinned.get(name) != new.pinned.get(name)]
    if not parts and not pins:
        st.success("They say the same.", icon=":material/check:")
    for part in parts:
        _part(part, old.number, new.number)
    for name in pins:
        before, after = old.pinned.get(name), new.pinned.get(name)
        st.markdown(
            f"**Included prompt** {hostile.label(name)}: "
            f"{f'version {before}' if before else 'not included'} → {f'version {after}' if after else 'not included'}"
        )


def _part(part: Difference, old: int, new: int) -> None:
    with st.container(border=True, gap="xsmall"):
        state = "the same" if part.is_same else "new" if not part.before else "gone" if not part.after else ""
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"**{hostile.sentence(part.what)}**", width="content")
            if state:
                st.badge(state, color="gray" if part.is_same else "green" if state == "new" else "red")
        if part.is_same:
            hostile.text(part.after)
        elif part.is_text:
            sides = review_text.sides_html(part.before, part.after)
            for column, number, html in zip(st.columns(2, gap="medium"), (old, new), sides, strict=True):
                with column:
                    st.caption(f"Version {number}")
                    st.html(html)
        else:
            before, after = (hostile.label(one) or "not set" for one in (part.before, part.after))
            st.markdown(f"{before} → {after}")


def _number(name: str, numbers: list[int], otherwise: int) -> int:
    given = st.query_params.get(name, "")
    number = int(given) if given.isdecimal() and len(given) < 9 else otherwise
    return number if number in numbers else otherwise if otherwise in numbers else numbers[0]


def _choose(label: str, name: str, numbers: list[int], now: int, told: dict[int, str]) -> None:
    key = f"prompt_{name}_number"
    if st.session_state.get(key) != now:
        st.session_state[key] = now
    st.selectbox(label, numbers, key=key, format_func=told.__getitem__, on_change=_chosen, args=(key, name), width=240)


def _chosen(key: str, name: str) -> None:
    st.query_params[name] = str(st.session_state[key])

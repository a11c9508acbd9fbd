"""Keep what stands on the playground as a version of a prompt, and open one there."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from core import clock
from core.errors import GreenroomError
from core.people.rules import Permission, Principal
from core.prompts import actions, included, includes, queries, versions
from core.prompts.actions import Saved
from core.prompts.includes import Reference
from core.prompts.rules import RunState
from core.prompts.versions import MAIN, Content, Kind, Variable
from core.prompts.views import PromptView, VersionView
from pages.parts import acting, hostile, reads
from pages.parts.links import PROMPTS

CAME_FROM = "play_came_from"
"""The session's memory of the version on the playground: (project, prompt's name, number)."""
_NEW, _BRANCH = "A new prompt", "A new branch"


def draw(by: Principal, project_id: int, state: RunState) -> None:
    """The door, and behind it the form; nothing for who may not write prompts."""
    if not by.may(Permission.PROMPT_CHANGE, project_id):
        return
    with st.popover(
        "Save as prompt", icon=":material/bookmark_add:", key="playpop_save", on_change="rerun",
        disabled=state.is_blank, help="Keep it as a version of a prompt, which applications ask for by name.",
    ) as door:  # fmt: skip
        if door.open:
            _form(by, project_id, state)


def came_from(project_id: int) -> str:
    """The version on the playground as it is asked for, `support/refund@3`; empty where it began without one."""
    came = st.session_state.get(CAME_FROM, (0, "", 0))
    return str(Reference(came[1], number=came[2])) if came[0] == project_id and came[1] else ""


def remember(project_id: int, text: object) -> None:
    """What `came_from` said when the playground was kept; anything else is nothing."""
    wanted = includes.reference(text) if isinstance(text, str) else Reference("")
    st.session_state[CAME_FROM] = (project_id, wanted.name, wanted.number or 0)


def opened(project_id: int, text: str) -> RunState | None:
    """The playground with the version that `support/refund@3` names; None when there is none."""
    wanted = includes.reference(text)
    try:
        row = reads.fresh(queries.named, wanted.name, project_id=project_id)
        number = row.entry.number(wanted) if wanted.number or wanted.label else row.latest or row.newest
        made = reads.fresh(queries.version, row.id, number, project_ids=(project_id,))
    except GreenroomError:
        return None
    st.session_state[CAME_FROM] = (project_id, row.name, number)
    return RunState((made.content.variant,), made.content.examples)


def _form(by: Principal, project_id: int, state: RunState) -> None:
    letters = [variant.letter for variant in state.variants]
    letter = letters[0]
    if len(letters) > 1:
        letter = st.segmented_control("Variant", letters, default=letter, required=True, key="play_save_letter")
    variant = state.variant(str(letter)) or state.variants[0]
    known = reads.fresh(queries.prompts, project_ids=(project_id,), limit=500)
    names = [row.name for row in known]
    came = st.session_state.get(CAME_FROM, (0, "", 0))
    came_name = came[1] if came[0] == project_id and came[1] in names else ""
    chosen = _NEW
    if names:
        options = [_NEW, *names]
        chosen = st.selectbox(
            "Save as", options, index=options.index(came_name) if came_name else 0, key=f"play_save_as_{came_name}",
            format_func=lambda one: one if one == _NEW else f"A version of {one}",
        )  # fmt: skip
    row = next((one for one in known if one.name == chosen), None)
    base = _base(row, came, project_id)
    name, branch = "", MAIN
    if row is None:
        name = st.text_input(
            "Name", key="play_save_name", max_chars=versions.LONGEST_NAME, placeholder="support/refund",
            help="What applications ask for. Lower case; a slash makes a folder. It stays.",
        )  # fmt: skip
    else:
        branch = _branch(row, base)
    note = st.text_input(
        "What is new", key=f"play_save_note_{chosen}", max_chars=500, placeholder="Says when refunds are refused"
    )
    content = Content.of_variant(variant)
    try:
        _, texts = reads.fresh(included.pins, content.texts, project_id=project_id, of=chosen if row else name)
    except GreenroomError as error:
        acting.show(error)
        return
    before = base.content.variables if base else ()
    content = versions.with_variables(content, before, texts=list(texts.values()))
    told = [_variable(one, state.variables.get(one.name, "")) for one in content.variables]
    content = replace(content, variables=tuple(told))
    if not st.button("Save", key="play_save_go", type="primary", icon=":material/check:"):
        return
    saved = _kept(by, project_id, content, row=row, base=base, name=name, branch=branch, note=note)
    if saved is not None:
        kept = chosen if row is not None else versions.check_name(name)
        st.session_state[CAME_FROM] = (project_id, kept, saved.number)
        said = f"Saved as version {saved.number}." if saved.is_new else f"Version {saved.number} says this already."
        st.success(said, icon=":material/check:")
        st.page_link(PROMPTS, label="See the prompt", query_params={"prompt": kept, "version": str(saved.number)})


def _base(row: PromptView | None, came: tuple[int, str, int], project_id: int) -> VersionView | None:
    """The version that what is saved was made from: the one that was opened here, else the newest of main."""
    if row is None:
        return None
    is_there = came[:2] == (row.project_id, row.name) and 0 < came[2] <= row.newest
    number = came[2] if is_there else row.latest or row.newest
    return reads.fresh(queries.version, row.id, number, project_ids=(project_id,))


def _branch(row: PromptView, base: VersionView | None) -> str:
    known = [name for name, _ in reads.fresh(queries.branches, row.id, project_ids=(row.project_id,))]
    now = base.branch if base else MAIN
    options = [*known, _BRANCH]
    chosen = st.selectbox(
        "On", options, index=options.index(now) if now in options else 0, key=f"play_save_branch_{row.name}_{now}",
        format_func=lambda one: {MAIN: "Main", _BRANCH: "A new branch, beside main"}.get(one, f"The branch {one}"),
    )  # fmt: skip
    if chosen != _BRANCH:
        return chosen
    return st.text_input("Branch", key=f"play_save_new_branch_{row.name}", max_chars=32, placeholder="bolder")


def _variable(one: Variable, value: str) -> Variable:
    """What may stand for a variable; the value that stands on the playground is its example."""
    with st.container(border=True, gap="xsmall"):
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(f"{hostile.label(one.name)} takes", width="content")
            kind = Kind(
                st.selectbox(
                    f"What {one.name} takes",
                    [str(each) for each in Kind],
                    index=list(Kind).index(one.kind),
                    key=f"play_save_kind_{one.name}",
                    label_visibility="collapsed",
                    width=150,
                )
            )
            needed = st.toggle("Needed", one.is_required, key=f"play_save_needed_{one.name}")
        choices = one.choices
        if kind is Kind.CHOICE:
            typed = st.text_area(
                "One of, a line each", "\n".join(one.choices), key=f"play_save_choices_{one.name}", height="content"
            )
            choices = tuple(line.strip() for line in typed.splitlines() if line.strip())
    example = value or one.example
    return replace(one, kind=kind, is_required=needed, choices=choices, example=example)


def _kept(
    by: Principal,
    project_id: int,
    content: Content,
    *,
    row: PromptView | None,
    base: VersionView | None,
    name: str,
    branch: str,
    note: str,
) -> Saved | None:
    if row is None:
        return acting.do(
            actions.create, project_id=project_id, name=name, content=content, note=note, by=by, at=clock.now()
        )
    return acting.do(
        actions.save, prompt_id=row.id, content=content, branch=branch or MAIN, note=note, by=by, at=clock.now(),
        parent=base.number if base else None, expected_newest=row.newest,
    )  # fmt: skip

"""Examples of a run with the answers of one or two variants, their scores, and what is different."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from core.calls import queries as calls
from core.datasets import queries as datasets
from core.datasets.queries import ItemView
from core.evals import comparing
from core.evals.across import Side
from core.experiments import queries
from core.experiments.queries import CellView, ScoreView
from core.people.rules import Principal
from core.prompts import answers
from pages.parts import (
    attached,
    call_blind,
    call_private,
    conversation,
    experiment_scores,
    hostile,
    reads,
    review_text,
)


class _Answers:
    """What one variant said to some examples, as this person may see it."""

    def __init__(self, side: Side, keys: list[int], repeat: int, by: Principal) -> None:
        run, mine = side.run, (side.run.project_id,)
        cells = reads.fresh(queries.cells, run.id, project_ids=mine, item_keys=keys, limit=len(keys) * 8 * run.repeats)
        found: dict[int, CellView] = {}
        for cell in cells:
            if cell.place.arm == side.letter and cell.place.repeat == min(repeat, run.repeats):
                found[cell.place.item_key] = cell
        numbers = [cell.call_id for cell in found.values() if cell.call_id is not None]
        self.name = side.name
        self._cells, self._said = found, reads.fresh(calls.payloads, numbers, mine)
        self._scores = reads.fresh(queries.scores, run.id, project_ids=mine, item_keys=keys)
        self._hidden = call_private.hidden(numbers, mine)
        self._blind = call_blind.hidden(numbers, run.project_id, by)

    def draw(self, key: int) -> str | None:
        """The answer to an example with its scores; its words, where they may be seen."""
        st.markdown(f"**{hostile.sentence(self.name)}**")
        cell = self._cells.get(key)
        if cell is None:
            st.caption("Not asked yet.")
            return None
        if cell.error:
            st.error(hostile.sentence(cell.error), icon=":material/error:")
        payload, text = self._said.get(cell.call_id or 0), None
        why = self._blind.get(cell.call_id or 0)
        is_masked = cell.call_id in self._hidden
        if why:
            st.caption(hostile.sentence(" ".join(why)))
        elif is_masked:
            st.caption("It has private words: open it in Calls.")
        elif payload is not None and isinstance(payload.response, dict):
            text = answers.of_completion(payload.response).essence
            hostile.text(text[:4_000])
        for score in self._scores:
            # what failed was told once, above
            if score.place == cell.place and not (cell.error and score.state == "failed"):
                _score(score, with_reason=not (why or is_masked))  # a reason quotes the answer
        return text


def draw(sides: Sequence[Side], keys: list[int], by: Principal) -> None:
    """Some examples, as the last side's run has them."""
    run = sides[-1].run
    items = reads.fresh(datasets.of_version, run.dataset_id, run.dataset_version, keys, project_ids=(run.project_id,))
    repeat = _repeat(max(side.run.repeats for side in sides))
    found = [_Answers(side, keys, repeat, by) for side in sides]
    for key in keys:
        with st.container(border=True, key=f"experiment_item_{key}", gap="small"):
            if (item := items.get(key)) is not None:
                _asked(item)
            texts = []
            for column, one in zip(st.columns(len(found)), found, strict=True):
                with column:
                    texts.append(one.draw(key))
            if len(texts) == 2 and texts[0] is not None and texts[1] is not None and texts[0] != texts[1]:
                what = f"What is different from {found[0].name} to {found[1].name}"
                with st.expander(hostile.sentence(what), icon=":material/difference:"):
                    review_text.diff(texts[0], texts[1])


def _repeat(most: int) -> int:
    """Which of several answers to each example is shown."""
    if most == 1:
        return 1
    chosen = st.selectbox(
        "Answer shown", list(range(1, most + 1)), key="experiment_repeat", width=260,
        format_func=lambda number: f"{number} of {most} to each example",
        help="Each example was asked several times. What is better, worse or the same goes by their mean.",
    )  # fmt: skip
    return int(chosen or 1)


def _asked(item: ItemView) -> None:
    for message in item.input.get("messages", ())[-1:]:
        hostile.text(conversation.words_of(message.get("content"))[:2_000])
        for file in conversation.media_of(message.get("content")):
            attached.draw(file)
    variables = item.input.get("variables") or {}
    if variables:
        told = ", ".join(f"{name}: {value}" for name, value in variables.items())
        st.caption(hostile.sentence(told[:500]))
    if expected := _expected(item.expected):
        st.caption(f"Expected: {hostile.sentence(expected[:500])}")


def _score(score: ScoreView, *, with_reason: bool) -> None:
    icon = ":material/remove:" if score.passed is None else ":material/check:" if score.passed else ":material/close:"
    unit, scale = comparing.shown(score.unit)
    value = "" if score.value is None else f" {experiment_scores.value(score.value * scale, unit)}".replace("$", "\\$")
    state = "" if score.state == "scored" else f" ({score.state})"
    reason = f": {hostile.sentence(score.reason[:300])}" if with_reason else ""
    st.caption(f"{icon} {hostile.label(score.scorer)}{value}{state}{reason}")


def _expected(expected: object) -> str:
    if not isinstance(expected, dict):
        return ""
    return str(expected.get("content") or expected.get("json") or "")

"""What makes an answer good, chosen in words: each choice is one scorer's settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
import streamlit as st

from core import runtime
from core.catalog.rules import Snapshot
from core.people.queries import ProjectView
from core.review import queries as review
from pages.parts import hostile, play_choice, reads

Settings = dict[str, Any]

OFFERED = {
    "exact": "It is the expected answer, word for word",
    "contains": "It contains the expected answer",
    "number": "Its number is the expected one",
    "json": "Its JSON is as expected",
    "like": "It is like the expected answer (shared words, ROUGE-L)",
    "phrases": "It is like the expected answer (shared phrases, BLEU)",
    "characters": "It is like the expected answer (shared characters, chrF)",
    "edits": "It differs from the expected answer by few letters (Levenshtein)",
    "similar": "It means what the expected answer means (embeddings)",
    "schema": "It is JSON of a certain shape (JSON schema)",
    "text": "It contains certain words",
    "pattern": "It matches a pattern (regular expression)",
    "judge": "A model judges it by a rubric",
    "pairwise": "A model compares it with the first variant's",
    "human": "People of a review queue judge it",
    "declines": "It does not decline to answer",
    "language": "It is in a certain language",
    "length": "It is short enough",
    "latency": "It is fast enough",
    "cost": "It is cheap enough",
    "function": "A Python function of our own judges it",
}
START = ("exact", "latency", "cost")
SEVERAL = {
    "text": ("words", "Other words too"),
    "pattern": ("pattern", "Another pattern"),
    "schema": ("schema", "Another schema"),
    "similar": ("similar", "Another embedding model"),
    "judge": ("judge", "Another judge"),
    "pairwise": ("compared", "Another judge who compares"),
    "human": ("people", "Another queue"),
    "function": ("function", "Another function"),
}
"""What is often wanted more than once, each time with a figure of its own: what that is called at first, and how one
asks for another."""
MOST_ALIKE = 5
_FRAMED = ("judge", "pairwise")


def draw(project: ProjectView, snapshot: Snapshot) -> tuple[list[Settings], bool]:
    """The choice, and what each chosen one wants to know; and whether every one of them knows it."""
    chosen = st.multiselect(
        "What makes an answer good?", list(OFFERED), default=list(START), key="experiment_scorers",
        format_func=OFFERED.__getitem__, placeholder="Choose what is looked at",
    )  # fmt: skip
    told: list[Settings] = []
    lacking: list[str] = []
    for kind in chosen:
        count = st.session_state.setdefault(_count(kind), 1)
        for number in range(1, count + 1):
            settings = _one(Place(kind, number, project, snapshot), count)
            if settings is None:
                lacking.append(f"“{OFFERED[kind]}”" + (f" ({number})" if count > 1 else ""))
            else:
                told.append(settings)
        if kind in SEVERAL:
            _more(kind, count)
    if lacking:
        st.warning(
            "Fill in what it wants to know above, or take it off the list.", icon=":material/edit_note:",
            title=f"Not ready yet: {', '.join(lacking)}.",
        )  # fmt: skip
    return told, not lacking


@dataclass(frozen=True, slots=True)
class Place:
    """Which form: the how-manieth of its kind, from 1, and what it may offer."""

    kind: str
    number: int
    project: ProjectView
    snapshot: Snapshot

    def key(self, name: str) -> str:
        """A widget's key; the first of a kind has no number."""
        return f"experiment_{name}" + (f"_{self.number}" if self.number > 1 else "")


def _one(place: Place, count: int) -> Settings | None:
    """One scorer's form; with a name of its own where there are several, for their figures stand side by side."""
    if count == 1:
        with st.container(border=place.kind in _FRAMED):
            return _FORMS[place.kind](place)
    with st.container(border=True):
        first = SEVERAL[place.kind][0] + (f" {place.number}" if place.number > 1 else "")
        key = place.key(f"name_{place.kind}")
        name = st.text_input("Name, as the figures show it", first, key=key, max_chars=80, width=320)
        settings = _FORMS[place.kind](place)
    return None if settings is None or not name.strip() else settings | {"name": name.strip()}


def _more(kind: str, count: int) -> None:
    with st.container(horizontal=True, gap="small"):
        if count < MOST_ALIKE:
            st.button(
                SEVERAL[kind][1], key=f"experiment_more_{kind}", icon=":material/add:", type="tertiary",
                on_click=_counted, args=(kind, count + 1),
            )  # fmt: skip
        if count > 1:
            st.button(
                "Drop the last", key=f"experiment_less_{kind}", icon=":material/remove:", type="tertiary",
                on_click=_counted, args=(kind, count - 1),
            )  # fmt: skip


def _counted(kind: str, count: int) -> None:
    st.session_state[_count(kind)] = count


def _count(kind: str) -> str:
    return f"experiment_count_{kind}"


def _plain(kind: str, name: str, **more: Any) -> Callable[[Place], Settings | None]:
    return lambda _: {"kind": kind, "name": name, **more}


def _words(place: Place) -> Settings | None:
    typed = st.text_area("Words it must contain, one per line", key=place.key("words"), height="content")
    texts = [line.strip() for line in typed.splitlines() if line.strip()]
    return {"kind": "contains", "name": "words", "texts": texts, "case_matters": False} if texts else None


def _pattern(place: Place) -> Settings | None:
    typed = st.text_input("Pattern it must match", key=place.key("pattern"), placeholder=r"\bticket \d+\b")
    return {"kind": "regex", "name": "pattern", "pattern": typed} if typed else None


def _edits(place: Place) -> Settings | None:
    least = st.slider("Passes where so much is the same (%)", 0, 100, 80, key=place.key("edits_least"), width=320)
    return {"kind": "levenshtein", "name": "edits", "case_matters": False, "least": least / 100}


def _number(place: Place) -> Settings | None:
    off = st.number_input(
        "Its number may be off by", 0.0, None, 0.0, step=0.1, format="%g", key=place.key("number_off"), width=220,
        help="0: it is exactly the expected one.",
    )  # fmt: skip
    return {"kind": "number", "name": "number", "absolute": str(off)}


def _similar(place: Place) -> Settings | None:
    names = play_choice.embedding(place.snapshot)
    if not names:
        st.caption("No backend has an embedding model: add one under Backends and models.")
        return None
    model = st.selectbox("Embedding model", names, key=place.key("similar_model"))
    least = st.slider("Passes from a cosine of", 0.0, 1.0, 0.8, 0.05, key=place.key("similar_least"), width=320)
    return {"kind": "similarity", "name": "similar", "model": model, "least": least} if model else None


def _schema(place: Place) -> Settings | None:
    typed = st.text_area(
        "JSON schema", key=place.key("schema"), height="content",
        placeholder='{"type": "object", "required": ["answer"]}',
    )  # fmt: skip
    if not typed.strip():
        return None
    try:
        schema = orjson.loads(typed)
    except orjson.JSONDecodeError as error:
        st.caption(hostile.sentence(f"This is not JSON: {error}."))
        return None
    return {"kind": "json schema", "name": "schema", "answer_schema": schema, "fenced": True}


def _function(place: Place) -> Settings | None:
    if runtime.current().settings.scorers_dir is None:
        st.caption("Your operator names the folder of such functions: `GREENROOM_SCORERS_DIR`.")
        return None
    typed = st.text_input(
        "Function, as file.py:name", key=place.key("function"), placeholder="tone.py:is_kind",
        help="In the folder that your operator named: `def is_kind(case): return 'sorry' in case['text']`. `case` has "
        "`text`, `expected`, `messages`, `variables`, `tool_calls`, `latency_ms` and more; a share from 0 to 1 is "
        "understood too.",
    )  # fmt: skip
    return {"kind": "function", "name": "function", "call": typed.strip()} if typed.strip() else None


def _judge(place: Place) -> Settings | None:
    model, rubric = _asked(
        place, "judge", "**The judge**", "What should it look at?",
        "5: answers the question fully and kindly. 1: wrong, or rude.",
    )  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="bottom"):
        repeats = st.number_input("Times asked", 1, 15, 1, key=place.key("judge_repeats"), width=140)
        expects = st.toggle("Show it the expected answer", key=place.key("judge_expected"))
    if not model or not rubric.strip():
        return None
    return {
        "kind": "judge", "name": "judge", "model": model, "rubric": rubric, "repeats": repeats,
        "with_expected": expects,
    }  # fmt: skip


def _pairwise(place: Place) -> Settings | None:
    model, rubric = _asked(
        place, "pair", "**The judge who compares**, asked twice, with the places changed", "Which answer is better?",
        "The one that helps the customer more, and promises nothing we cannot keep.",
    )  # fmt: skip
    if not model or not rubric.strip():
        return None
    return {"kind": "pairwise judge", "name": "compared", "model": model, "rubric": rubric}


def _asked(place: Place, key: str, title: str, question: str, such_as: str) -> tuple[str, str]:
    """Which model judges, and by what."""
    st.markdown(title)
    models = play_choice.names(place.snapshot)
    model = st.selectbox(
        "Model", models, key=place.key(f"{key}_model"), accept_new_options=True, placeholder="Choose"
    )  # fmt: skip
    rubric = st.text_area(question, key=place.key(f"{key}_rubric"), height="content", placeholder=such_as)
    return str(model or ""), rubric


def _human(place: Place) -> Settings | None:
    names = [queue.name for queue in reads.fresh(review.queues, project_ids=(place.project.id,)) if queue.is_open]
    if not names:
        st.caption("There is no open review queue: open one under Routing and policies.")
        return None
    name = st.selectbox("Whose people?", names, key=place.key("queue"))
    return {"kind": "human", "name": "people", "queue": name, "edited_counts": 0.5} if name else None


def _language(place: Place) -> Settings | None:
    names = {"en": "English", "de": "German", "fr": "French", "es": "Spanish", "it": "Italian", "pt": "Portuguese",
             "nl": "Dutch", "pl": "Polish", "ja": "Japanese", "zh": "Chinese"}  # fmt: skip
    chosen = st.multiselect(
        "Languages", list(names), default=["en"], key=place.key("languages"), format_func=names.__getitem__
    )
    return {"kind": "language", "name": "language", "languages": chosen} if chosen else None


def _length(place: Place) -> Settings | None:
    most = st.number_input("At most so many words", 1, 100_000, 120, key=place.key("words_most"), width=200)
    return {"kind": "length", "name": "length", "unit": "words", "most": int(most)}


def _latency(place: Place) -> Settings | None:
    most = st.number_input("Answered within (seconds)", 0.1, 3_600.0, 5.0, key=place.key("latency_most"), width=200)
    return {"kind": "latency", "name": "time", "most_ms": most * 1000}


def _cost(place: Place) -> Settings | None:
    most = st.number_input(
        "Dollars an answer may cost", 0.0, 100.0, 0.01, step=0.001, format="%.4f", key=place.key("cost_most"), width=200
    )
    return {"kind": "cost", "name": "cost", "most_usd": f"{most:.6f}"}


_FORMS: dict[str, Callable[[Place], Settings | None]] = {
    "exact": _plain("exact", "exact"),
    "contains": _plain("contains", "contains", case_matters=False),
    "number": _number,
    "json": _plain("json diff", "json", fenced=True),
    "like": _plain("rouge", "like"),
    "phrases": _plain("bleu", "phrases"),
    "characters": _plain("chrf", "characters"),
    "declines": _plain("refusal", "answers"),
    "text": _words, "pattern": _pattern, "judge": _judge, "pairwise": _pairwise, "human": _human,
    "language": _language, "length": _length, "latency": _latency, "cost": _cost, "edits": _edits,
    "similar": _similar, "schema": _schema, "function": _function,
}  # fmt: skip

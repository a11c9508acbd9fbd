"""How an application asks for a prompt, and the prompt as a file."""

from __future__ import annotations

from typing import Any

import streamlit as st

from core.people.rules import Principal
from core.prompts import files, queries
from core.prompts.files import PromptFile
from core.prompts.queries import PromptView
from core.prompts.versions import LATEST, PRODUCTION
from pages.parts import reads, snippets


def draw(row: PromptView, by: Principal) -> None:
    """The code for a label, then the files."""
    labels = list(row.labels) or [LATEST]
    label = st.segmented_control(
        "Label", labels, default=PRODUCTION if PRODUCTION in labels else labels[0], required=True,
        key=f"prompt_use_{row.id}",
    )  # fmt: skip
    number = row.labels.get(str(label), row.latest or row.newest)
    made = reads.fresh(queries.version, row.id, number, project_ids=(row.project_id,))
    values = {one.name: one.example or f"<{one.name}>" for one in made.content.variables}
    asks = any(message.speaker == "user" for message in made.content.messages)
    body: dict[str, Any] = {
        "model": f"prompt:{row.name}" + ("" if label == PRODUCTION else f"@{label}"),
        "messages": [] if asks else [{"role": "user", "content": "Hello"}],
    }
    if values:
        body["prompt_variables"] = values
    kind = st.segmented_control("As", ("curl", "Python"), default="curl", required=True, key=f"prompt_as_{row.id}")
    st.code((snippets.curl if kind == "curl" else snippets.python)(body, address=snippets.base_url()), language=None)
    st.caption(
        f"`{snippets.KEY_VARIABLE}` is a key of this project. When the label moves, the next call is answered by the "
        "new version: nothing is deployed."
    )
    st.subheader("Take away", anchor=False)
    file = PromptFile(row.name, made.content, row.description, row.tags, made.note)
    with st.container(horizontal=True, gap="small"):
        name = row.name.replace("/", "-")
        st.download_button(
            f"Version {number} as YAML", files.to_yaml(file), file_name=f"{name}.yaml", mime="application/yaml",
            key=f"prompt_yaml_{row.id}_{number}", on_click="ignore", icon=":material/download:",
        )  # fmt: skip
        st.download_button(
            "As JSON", files.to_json(file), file_name=f"{name}.json", mime="application/json",
            key=f"prompt_json_{row.id}_{number}", on_click="ignore", icon=":material/download:",
        )  # fmt: skip
    st.caption("In a repository:")
    commands = (f"greenroom prompt pull {row.name}@{label}", "greenroom prompt push prompts/ --label staging")
    st.code("\n".join(commands), language=None)

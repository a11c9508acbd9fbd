"""A page that shows every naughty string in every way a page of ours shows hostile text."""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import streamlit as st  # noqa: E402

from pages.parts import hostile  # noqa: E402
from tests.pages.attacks import ATTACKS  # noqa: E402

strings = json.loads((ROOT / "tests/data/naughty/blns.json").read_text(encoding="utf-8"))
hostile.markdown("\n\n".join([*ATTACKS, *strings]))
for attack in ATTACKS:
    hostile.markdown(attack)
    hostile.text(attack)
    st.markdown(f"A sentence of ours about {hostile.label(attack)}.")
    st.expander(hostile.label(attack)).text("inside")
st.text("the end of the page")

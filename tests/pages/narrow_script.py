"""A page with what is hard to show on a telephone: who beats whom among five and among eight, and a wide table."""

import sys
from itertools import permutations
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import streamlit as st  # noqa: E402

from core.statistics.votes import Choice, Vote, table  # noqa: E402
from pages.parts import charts, compare_charts, frame  # noqa: E402

frame.look(ROOT / "pages" / "assets")
for count in (5, 8):
    names = [f"a vendor/model-{letter}-large-2024" for letter in "abcdefgh"[:count]]
    votes = [
        Vote(left=one, right=other, choice=Choice.LEFT if one < other else Choice.RIGHT, voter="Ada", times=11)
        for one, other in permutations(names, 2)
    ]
    cells = table(votes, names)
    charts.draw(compare_charts.matrix(cells), key=f"matrix_{count}", alt=compare_charts.say_matrix(cells))
for columns in (12, 2):
    st.table({f"Column {number}": ["a cell"] for number in range(columns)})
st.text("the end of the page")

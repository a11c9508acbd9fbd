"""Examples to test with and to fine-tune on: what is in each dataset, its versions, files in and out."""

from __future__ import annotations

import streamlit as st

from core.datasets import queries
from core.errors import GreenroomError
from pages.parts import (
    access,
    acting,
    dataset_alike,
    dataset_card,
    dataset_export,
    dataset_import,
    dataset_items,
    dataset_list,
    dataset_sample,
    dataset_splits,
    dataset_versions,
    hostile,
    numbers,
    reads,
    tabs,
)

VIEWS = {
    "items": "Examples",
    "versions": "Versions",
    "splits": "Splits",
    "import": "Import",
    "sample": "From calls",
    "alike": "Duplicates",
    "card": "Card",
    "export": "Export",
}
DRAWN = {
    "items": dataset_items.draw,
    "versions": dataset_versions.draw,
    "splits": dataset_splits.draw,
    "import": dataset_import.draw,
    "sample": dataset_sample.draw,
    "alike": dataset_alike.draw,
    "card": dataset_card.draw,
    "export": dataset_export.draw,
}

by = access.require("dataset:read")
project = access.project()
chosen = st.query_params.get(dataset_list.OPEN, "")
try:
    number = numbers.read(chosen)
    if number is None:
        dataset_list.draw(by, project)
    else:
        dataset = reads.fresh(queries.dataset, number, project_ids=(project.id,))
        dataset_list.back()
        st.title(hostile.sentence(dataset.name), anchor=False)
        dataset_card.summary(dataset)
        DRAWN[tabs.draw("view", VIEWS, label="Part of the dataset")](dataset, by)
except GreenroomError as error:
    acting.show(error)

"""The page Datasets, and keeping an answer as an example from where it is read."""

from __future__ import annotations

from base64 import b64encode

import pytest

from core import clock, ids
from core.datasets import actions, queries
from core.datasets.cards import Sensitivity
from core.people.rules import Principal, Role
from core.review import rubrics
from core.review.tables import ReviewItem
from core.runtime import Runtime
from tests.datasets.sets import Sets, entry
from tests.pages import visiting
from tests.pages.attacks import ATTACKS
from tests.pages.datasets import PAGES, here, look, mia, pressed, sets, visit
from tests.pages.signed_in import SHELL, claims, opened, person
from tests.pages.visiting import made

__all__ = ["here", "mia", "sets"]
PNG = b"\x89PNG\r\n\x1a\n" + bytes(60)


def test_an_answer_is_kept_as_an_example_and_listed(here: Runtime, mia: Principal) -> None:
    call_id = made(here, said=("A question?", ATTACKS[3]))
    page = visit("call_list.py", call=ids.shown("call", call_id))
    page.text_input(key=f"example_new_{call_id}").input("Good ones").run()
    page.button(key=f"example_keep_{call_id}").click()
    page.run()
    assert not page.exception
    with here.db.read() as session:
        (row,) = queries.datasets(session, project_ids=(1,))
    assert (row.name, row.items) == ("Good ones", 1)
    page = visit("review_datasets.py")
    assert "1 to test with" in visiting.words(page)
    page = visit("review_datasets.py", dataset=str(row.id))
    told = visiting.words(page)
    assert "A question?" in told
    assert "<script>" not in told
    assert "There is no example of this kind here" in visiting.words(
        visit("review_datasets.py", dataset=str(row.id), kind="tuning")
    )


def test_a_new_dataset_is_opened_and_its_name_does_not_stay_in_the_form(here: Runtime) -> None:
    person(here, "ann", Role.PRODUCT_MANAGER)
    page = opened(SHELL, user=claims("ann"))
    page.switch_page(str(PAGES / "review_datasets.py")).run()
    page.text_input(key="dataset_name").input("Refunds")
    page = pressed(page, "dataset_create")
    with here.db.read() as session:
        (row,) = queries.datasets(session, project_ids=(1,))
    assert page.query_params["dataset"] == str(row.id)
    assert page.title[0].value == "Refunds"
    page = pressed(page, "dataset_back")
    assert page.title[0].value == "Datasets"
    assert page.text_input(key="dataset_name").value == ""


def test_an_example_is_written_edited_removed_and_put_back(sets: Sets) -> None:
    page = look(sets)
    page.text_area(key="dataset_write_item_0_0_text").input("How long does it take?")
    page.text_area(key="dataset_write_item_0_expected").input("Three days.")
    page.text_input(key="dataset_write_item_0_tags").input("parcels, english")
    pressed(page, "dataset_write_item_0_save")
    row = sets.listed()[-1]
    assert row.input == {"messages": [{"role": "user", "content": "How long does it take?"}]}
    assert (row.expected, row.tags) == ({"role": "assistant", "content": "Three days."}, ("parcels", "english"))

    page = look(sets, item=str(row.key))
    page.text_area(key=f"dataset_edit_{row.id}_expected").input("Two days.")
    page.text_input(key=f"dataset_edit_{row.id}_split").input("test")
    pressed(page, f"dataset_edit_{row.id}_save")
    row = sets.listed()[-1]
    assert (row.expected, row.split) == ({"role": "assistant", "content": "Two days."}, "test")

    page = pressed(look(sets, item=str(row.key)), f"dataset_remove_{row.key}")
    assert len(sets.listed()) == 2
    assert "One example was removed" in visiting.words(page)
    pressed(page, "dataset_undo")
    assert len(sets.listed()) == 3


def test_pictures_and_sounds_are_attached_shown_kept_and_taken_off(sets: Sets) -> None:
    page = look(sets)
    page.text_area(key="dataset_write_item_0_0_text").input("What is on it?")
    page.file_uploader(key="dataset_write_item_0_attach").set_value(
        [("a.png", PNG, "image/png"), ("b.wav", b"RIFF\0\0\0\0WAVEdata", "audio/wav")]
    )
    pressed(page, "dataset_write_item_0_save")
    row = sets.listed()[-1]
    text, picture, sound = row.input["messages"][0]["content"]
    assert text == {"type": "text", "text": "What is on it?"}
    assert picture == {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{b64encode(PNG).decode()}"}}
    assert sound["input_audio"]["format"] == "wav"

    page = look(sets, item=str(row.key))
    told = visiting.words(page)
    assert '<img alt="A picture' in told
    assert r"a\.png · PNG picture · 1 KB" in told
    assert r"b\.wav · WAV sound · 1 KB" in told
    page.text_area(key=f"dataset_edit_{row.id}_0_text").input("What is to be seen?")
    pressed(page, f"dataset_edit_{row.id}_save")
    row = sets.listed()[-1]
    assert row.input["messages"][0]["content"] == [text | {"text": "What is to be seen?"}, picture, sound]

    page = look(sets, item=str(row.key))
    page.checkbox(key=f"dataset_edit_{row.id}_0_files").uncheck()
    pressed(page, f"dataset_edit_{row.id}_save")
    row = sets.listed()[-1]
    assert row.input["messages"][0]["content"] == "What is to be seen?"


def test_a_file_that_is_no_picture_is_a_sentence_and_nothing_typed_is_lost(sets: Sets) -> None:
    page = look(sets)
    page.text_area(key="dataset_write_item_0_0_text").input("What is on it?")
    page.file_uploader(key="dataset_write_item_0_attach").set_value([("a.png", b"<svg onload=alert(1)>", "image/png")])
    pressed(page, "dataset_write_item_0_save")
    assert "is not a picture or sound" in visiting.words(page)
    assert page.text_area(key="dataset_write_item_0_0_text").value == "What is on it?"
    assert len(sets.listed()) == 2


def test_messages_and_variables_are_added_to_a_form_and_speakers_take_turns(sets: Sets) -> None:
    page = look(sets)
    for more in ("more", "fill", "more"):
        pressed(page, f"dataset_write_item_0_{more}")
    page.text_area(key="dataset_write_item_0_0_text").input("One {{city}}?")
    page.text_area(key="dataset_write_item_0_1_text").input("Two.")
    page.text_input(key="dataset_write_item_0_v0_name").input("city")
    page.text_area(key="dataset_write_item_0_v0_value").input("Bonn")
    page.text_area(key="dataset_write_item_0_2_text").input("Three?")
    pressed(page, "dataset_write_item_0_save")
    row = sets.listed()[-1]
    assert [message["role"] for message in row.input["messages"]] == ["user", "assistant", "user"]
    assert row.input["variables"] == {"city": "Bonn"}


def test_an_example_that_lacks_something_is_not_added_and_says_why(sets: Sets) -> None:
    page = pressed(look(sets), "dataset_write_item_0_save")
    assert "It has no question" in visiting.words(page)
    assert len(sets.listed()) == 2


def test_examples_are_searched_and_filtered_by_the_address(sets: Sets) -> None:
    told = visiting.words(look(sets, q="PARCEL"))
    assert "Where is my parcel?" in told
    assert "May I return it?" not in told
    assert "May I return it?" in visiting.words(look(sets, tag="german"))
    page = look(sets)
    page.text_input(key="dataset_words").input("nothing is like this").run()
    assert "No example is like that" in visiting.words(page)


def test_a_version_is_kept_and_compared_with_the_draft(sets: Sets) -> None:
    page = look(sets, view="versions")
    page.text_input(key="dataset_note").input("The first")
    pressed(page, "dataset_keep_go")
    sets.remove(sets.listed()[0].key)
    told = visiting.words(look(sets, view="versions"))
    assert "Version 1" in told
    assert "The first" in told
    assert "May I return it?" in told
    page = look(sets, view="versions", old="0", upto="1")
    assert visiting.words(page).count("May I return it?") == 1


def test_what_of_an_example_changed_is_said_and_the_same_is_not_shown_twice(sets: Sets) -> None:
    sets.keep()
    first, second = sets.listed()
    sets.do(actions.set_split, key=first.key, split="test", ids=sets.ids)
    told = visiting.words(look(sets, view="versions"))
    assert "split: none → test" in told
    assert told.count("May I return it?") == 1
    sets.edit(second.key, entry("Where is it?"))
    told = visiting.words(look(sets, view="versions"))
    assert "what is asked" in told
    assert "Where is my parcel?" in told
    assert "Where is it?" in told


def test_the_draft_goes_back_to_a_version_after_one_look_at_what_changes(sets: Sets) -> None:
    sets.keep("the first")
    sets.remove(sets.listed()[0].key)
    page = pressed(look(sets, view="versions"), "dataset_back_1")
    told = visiting.words(page)
    assert "1 added" in told
    assert "(1 removed) is kept first, as version 2" in told
    sets.at = clock.now()
    sets.write(entry("Somebody else was faster?"))
    page = pressed(page, "dataset_back_go")
    told = visiting.words(page)
    assert "Somebody changed the dataset meanwhile" in told
    assert "1 added, 1 removed" in told
    page = pressed(page, "dataset_back_go")
    assert sets.said() == ["May I return it?", "Where is my parcel?"]
    assert sets.said(2) == ["Where is my parcel?", "Somebody else was faster?"]
    assert "back" not in page.query_params
    page.text_input(key="dataset_note").input("Again")
    told = visiting.words(pressed(page, "dataset_keep_go"))
    assert "as in version 1" in told
    assert "Before going back to version 1" in told
    page = pressed(look(sets, view="versions", back="3"), "dataset_back_no")
    assert "back" not in page.query_params


def test_the_trail_tells_of_a_dataset_by_its_name(here: Runtime, sets: Sets) -> None:
    person(here, "audrey", Role.AUDITOR)
    sets.keep()
    page = opened(SHELL, user=claims("audrey"))
    page.switch_page(str(PAGES / "audit_trail.py")).run()
    assert not page.exception
    assert any("kept a version of the dataset `Refunds`" in row.label for row in page.expander)


def test_examples_are_divided_by_shares(sets: Sets) -> None:
    page = look(sets, view="splits")
    page.number_input(key="dataset_share_0_80").set_value(100)
    page.number_input(key="dataset_share_1_10").set_value(0)
    page.number_input(key="dataset_share_2_10").set_value(0)
    pressed(page, "dataset_divide")
    assert {row.split for row in sets.listed()} == {"train"}
    assert "100 %" in visiting.words(look(sets, view="splits"))


def test_a_file_is_looked_at_and_imported_and_its_bad_rows_come_back(sets: Sets) -> None:
    page = look(sets, view="import")
    page.file_uploader(key="dataset_file_0").set_value(("qa.csv", b"question,answer\nOne?,Yes.\n,No.\n", "text/csv"))
    page.run()
    assert not page.exception
    assert "of which 1 can be taken" in visiting.words(page)
    pressed(page, "dataset_import_go")
    told = visiting.words(page)
    assert "1 example taken" in told
    assert "Row 3" in told
    assert sets.said()[-1] == "One?"
    told = visiting.words(look(sets, item=str(sets.listed()[-1].key)))
    assert "From qa.csv, row 2" in told.replace("\\", "")
    assert "file_" not in told


def test_a_file_that_is_none_says_so(sets: Sets) -> None:
    page = look(sets, view="import")
    page.file_uploader(key="dataset_file_0").set_value(("qa.csv", b"PK\x03\x04", "text/csv")).run()
    assert not page.exception
    assert "is packed" in visiting.words(page)


def test_calls_are_drawn_and_added(here: Runtime, sets: Sets) -> None:
    for number in range(4):
        made(here, said=(f"Question {number}?", ATTACKS[3]))
    made(here, response=b"", request=b"")
    page = pressed(look(sets, view="sample"), "dataset_sample_go")
    told = visiting.words(page)
    assert "4 drawn" in told
    assert "1 call had no body kept" in told
    assert "<script>" not in told.replace("`<script>", "")
    pressed(page, "dataset_sample_take")
    assert len(sets.listed()) == 6


def test_the_card_is_written_and_stands_over_everything(sets: Sets) -> None:
    page = look(sets, view="card")
    page.text_area(key="dataset_card_description").input("Questions about <b>refunds</b>")
    page.selectbox(key="dataset_card_sensitivity").set_value(Sensitivity.PERSONAL)
    pressed(page, "dataset_card_save")
    told = visiting.words(look(sets))
    assert "Questions about &lt;b&gt;refunds" in told
    assert "personal data" in [badge.value for badge in page.get("badge")] or "personal data" in told


def test_every_format_is_offered_where_it_has_something(sets: Sets) -> None:
    page = look(sets, view="export")
    links = {one.key: one.proto.disabled for one in page.get("link_button")}
    buttons = {one.proto.id.rpartition("-")[2]: one.proto.disabled for one in page.get("download_button")}
    assert links | buttons == {
        "dataset_export_jsonl": False,
        "dataset_export_csv": False,
        "dataset_export_parquet": False,
        "dataset_export_tuning": False,
        "dataset_export_preference": True,
        "dataset_export_card": False,
    }


@pytest.mark.parametrize("view", ["items", "versions", "splits", "import", "sample", "alike", "card", "export"])
def test_who_only_reads_sees_every_part_and_can_change_none(here: Runtime, sets: Sets, view: str) -> None:
    person(here, "audrey", Role.AUDITOR)
    sets.keep()
    sets.write(entry("MAY i return it?"))
    page = look(sets, "audrey", view=view)
    changing = [button.key for button in page.button if button.key and not _only_looks(button.key)]
    assert changing == []


def _only_looks(key: str) -> bool:
    return key == "dataset_back" or key.startswith(("dataset_item_", "sign_", "shell_"))


def test_a_dataset_of_nobody_is_not_there(here: Runtime, mia: Principal) -> None:
    assert "There is no such dataset" in visiting.words(visit("review_datasets.py", dataset="77"))


def test_a_call_is_sent_to_review_and_says_how_it_stands(here: Runtime, mia: Principal) -> None:
    lead = person(here, "lena", Role.LEAD_REVIEWER)
    with here.db.write() as session:
        queue = rubrics.open_queue(session, project_id=1, name="Answers", by=lead, at=clock.now())
    call_id = made(here, said=("A question?", "An answer."))
    page = visit("call_list.py", call=ids.shown("call", call_id))
    page.text_input(key=f"call_send_why_{call_id}").input("It sounds odd.")
    page.button(key=f"call_send_go_{call_id}").click()
    page.run()
    assert not page.exception
    with here.db.read() as session:
        item = session.get(ReviewItem, _only(session))
    assert item is not None
    assert (item.call_id, item.queue_id, item.source, item.reason) == (call_id, queue.id, "manual", "It sounds odd.")
    page = visit("call_list.py", call=ids.shown("call", call_id))
    assert "waits for people" in visiting.words(page)


def _only(session: object) -> int:
    from sqlmodel import Session, select

    assert isinstance(session, Session)
    return session.exec(select(ReviewItem.id)).one()

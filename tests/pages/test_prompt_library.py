"""Prompts on pages: found, read, compared, moved, agreed to by a second person, rolled back, saved where one tries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from streamlit.proto.Block_pb2 import Block as BlockProto

from core import clock
from core.prompts import actions, files, queries, releases
from core.prompts.files import PromptFile
from core.prompts.rules import Parameters
from core.prompts.versions import Content, Variable
from core.prompts.views import PromptView
from core.runtime import Runtime
from tests.pages.visiting import visit, words
from tests.prompts.shelf import ANN, ROOT, content

PAGE = "prompt_library.py"
HOSTILE = "<script>alert(1)</script> ![x](http://attack.invalid/x.png) **bold** :material/delete:"


def keep(here: Runtime, name: str, made: Content, *labels: str, **told: Any) -> int:
    """A version more of a prompt, with labels on it; the prompt's id."""
    at = clock.now()
    with here.db.write() as session:
        file = PromptFile(name, made, told.get("description", ""), told.get("tags", ()), told.get("note", ""))
        saved = actions.push(session, project_id=1, file=file, by=ANN, at=at)
        for label in labels:
            releases.move(
                session, prompt_id=saved.prompt_id, label=label, number=saved.number, by=ANN, at=at, ids=here.ids
            )
    here.refresh()
    return saved.prompt_id


def view(here: Runtime, name: str) -> PromptView:
    with here.db.read() as session:
        return queries.named(session, name, project_id=1)


def protect(here: Runtime) -> None:
    with here.db.write() as session:
        releases.protect(session, project_id=1, label="production", is_protected=True, by=ROOT, at=clock.now())


def test_an_empty_library_says_what_would_fill_it(here: Runtime) -> None:
    assert "There is no prompt yet." in words(visit(PAGE))


def test_prompts_are_found_by_folder_tag_and_words(here: Runtime) -> None:
    keep(here, "support/refund", content(), "production", tags=("money",), description="Money back.")
    keep(here, "sales", content())
    page = visit(PAGE)
    assert "support/refund" in words(page)
    assert "sales" in words(page)
    page.selectbox(key="prompt_folder").select("support").run()
    assert "`sales`" not in words(page)
    assert page.query_params["folder"] == "support"
    page = visit(PAGE, find="money back")
    assert "support/refund" in words(page)
    assert "`sales`" not in words(page)


def test_what_a_version_says_and_how_it_did_is_on_its_page(here: Runtime) -> None:
    made = content(
        "You help {{ customer }}.", parameters=Parameters(temperature=0.2), variables=(Variable("customer"),)
    )
    keep(here, "support", made, "production", note="First words.")
    page = visit(PAGE, prompt="support")
    said = words(page)
    assert "First words" in said
    assert "You help {{ customer }}." in said
    assert "temperature 0.2" in said
    assert "Not asked in the last 30 days." in said


def test_two_versions_are_compared_part_by_part(here: Runtime) -> None:
    keep(here, "support", content("Be kind."), "production")
    keep(here, "support", content("Be kind and brief.", parameters=Parameters(temperature=0.2)))
    said = words(visit(PAGE, prompt="support", view="compare"))
    assert "**Temperature**" in said
    assert "Message 1" in said
    assert "brief" in said
    assert "**Model**" not in said
    page = visit(PAGE, prompt="support", view="compare")
    sides = [one.proto.body for one in page.get("html") if "Be kind" in one.proto.body.replace("</ins>", "")]
    assert ["<ins" in side for side in sides] == [False, True]
    assert [one.value for one in page.caption if one.value.startswith("Version")] == ["Version 1", "Version 2"]


def rows_with(block: Any, link: str) -> Iterator[Any]:
    """The containers in which a link stands."""
    for one in block.children.values():
        if one.type == "page_link" and one.proto.label == link:
            yield block
        elif hasattr(one, "children"):
            yield from rows_with(one, link)


def test_links_and_buttons_of_a_row_are_on_one_line(here: Runtime) -> None:
    keep(here, "support", content("One."))
    for page, link in ((visit(PAGE), "New in the playground"), (visit(PAGE, prompt="support"), "Try and change it")):
        (row,) = rows_with(page.main, link)
        assert row.proto.flex_container.align == BlockProto.FlexContainer.Align.ALIGN_CENTER


def test_a_label_is_moved_and_rolled_back(here: Runtime) -> None:
    keep(here, "support", content("One."), "production")
    keep(here, "support", content("Two."))
    page = visit(PAGE, prompt="support", view="labels")
    page.selectbox(key=f"prompt_move_label_{view(here, 'support').id}").select("production")
    page.button(key="prompt_move_go").click().run()
    assert view(here, "support").labels == {"production": 2}
    page.button(key="prompt_back_production_2").click().run()
    assert view(here, "support").labels == {"production": 1}
    assert not page.exception
    assert not [one for one in page.button if str(one.key).startswith("prompt_back_")]  # nothing left to go back to


def test_a_label_that_moved_since_it_was_seen_is_not_moved_from_there(here: Runtime) -> None:
    keep(here, "support", content("One."), "production")
    for more in ("Two.", "Three."):
        keep(here, "support", content(more))
    page = visit(PAGE, prompt="support", view="labels")
    prompt = view(here, "support").id
    with here.db.write() as session:
        releases.move(session, prompt_id=prompt, label="production", number=2, by=ROOT, at=clock.now(), ids=here.ids)
    page.button(key="prompt_move_go").click().run()
    assert "Look at it again" in page.error[0].value
    assert view(here, "support").labels == {"production": 2}
    page.button(key="prompt_move_go").click().run()
    assert view(here, "support").labels == {"production": 3}


def test_a_protected_label_is_asked_for_with_a_reason_and_its_asker_cannot_agree(here: Runtime) -> None:
    prompt = keep(here, "support", content("One."), "production")
    keep(here, "support", content("Two."))
    protect(here)
    page = visit(PAGE, prompt="support", view="labels")
    page.button(key="prompt_ask").click().run()
    assert "Say why" in words(page)
    page.text_input(key=f"prompt_move_why_{prompt}").input("It is kinder.")
    page.multiselect(key=f"prompt_move_evidence_{prompt}_2").set_value(["run 7"])
    page.button(key="prompt_ask").click().run()
    page = visit(PAGE, prompt="support", view="labels")
    said = words(page)
    assert "somebody else decides" in said
    assert "run 7" in said
    assert "Nothing was named" not in said
    assert not [one for one in page.button if one.key and one.key.startswith("prompt_decide_")]
    assert view(here, "support").labels == {"production": 1}
    assert "waits for a second person" in words(visit(PAGE))


def test_a_second_person_sees_what_changes_and_agrees(here: Runtime) -> None:
    prompt = keep(here, "support", content("One."), "production")
    keep(here, "support", content("Two."))
    protect(here)
    with here.db.write() as session:
        request = releases.ask(
            session,
            prompt_id=prompt,
            label="production",
            number=2,
            note="Kinder.",
            by=ANN,
            at=clock.now(),
            ids=here.ids,
        )
    page = visit(PAGE, prompt="support", view="labels")
    assert "What changes from version 1" in words(page)
    assert "Nothing was named that speaks for it." in words(page)
    page.button(key=f"prompt_decide_{request}_True").click().run()
    assert view(here, "support").labels == {"production": 2}
    assert "asked" in words(visit(PAGE, prompt="support", view="labels"))


def test_an_application_finds_how_to_ask(here: Runtime) -> None:
    keep(
        here, "support", content("Help {{ customer }}.", variables=(Variable("customer", example="Mia"),)), "production"
    )
    said = words(visit(PAGE, prompt="support", view="use"))
    assert '"model": "prompt:support"' in said
    assert '"customer": "Mia"' in said


def test_what_was_opened_from_a_file_is_kept(here: Runtime) -> None:
    page = visit(PAGE)
    data = files.to_yaml(PromptFile("support", content("One."))).encode()
    page.get("file_uploader")[0].set_value(("support.yaml", data, "application/yaml")).run()
    page.button(key="prompt_file_keep").click().run()
    assert view(here, "support").newest == 1


@pytest.mark.parametrize("name", ["versions", "compare", "labels", "use"])
def test_hostile_words_are_shown_as_text(here: Runtime, name: str) -> None:
    keep(here, "support", content(HOSTILE), "production", note=HOSTILE, description=HOSTILE, tags=(HOSTILE[:20],))
    keep(here, "support", content(HOSTILE + "!"), note=HOSTILE)
    page = visit(PAGE, prompt="support", view=name)
    assert "<script>" not in words(page)
    read_as_markdown = [str(one.value) for kind in ("markdown", "caption", "title") for one in page.get(kind)]
    assert not [said for said in read_as_markdown if "![x](" in said]


def test_another_projects_prompt_is_not_there(here: Runtime) -> None:
    assert "no prompt named" in words(visit(PAGE, prompt="support"))


def test_the_playground_opens_a_version_and_saves_the_next_one(here: Runtime) -> None:
    made = content("You help {{ customer }}.", "Hello?", variables=(Variable("customer", example="Mia"),))
    keep(here, "support", made, "production")
    page = visit("prompt_playground.py", **{"from": "support@production"})
    assert page.text_area(key="play_A_m1").value == "You help {{ customer }}."
    assert page.text_area(key="play_var_customer").value == "Mia"
    page.text_area(key="play_A_m1").input("You help {{ customer }} at once.").run()
    page.session_state["playpop_save"] = True
    page.run()
    page.text_input(key="play_save_note_support").input("At once.")
    page.button(key="play_save_go").click().run()
    assert not page.exception
    assert view(here, "support").newest == 2
    with here.db.read() as session:
        kept = queries.version(session, view(here, "support").id, 2, project_ids=[1])
    assert (kept.note, kept.parent) == ("At once.", 1)
    assert kept.content.variables[0].example == "Mia"


def test_a_draft_and_a_run_opened_again_know_the_version_they_began_with(here: Runtime) -> None:
    keep(here, "other", content("Another.", model="builtin/rules"))
    keep(here, "support", content("You help.", "Hello?", model="builtin/rules"), "production")
    page = visit("prompt_playground.py", **{"from": "support@production"})
    page.text_area(key="play_A_m1").input("You help at once.").run()
    draft = page.query_params["draft"]
    page.button(key="play_go").click().run()
    for link in ({"draft": str(draft)}, {"run": str(page.query_params["run"])}, {}):
        again = visit("prompt_playground.py", **link)
        again.session_state["playpop_save"] = True
        again.run()
        assert not again.exception
        assert again.selectbox(key="play_save_as_support").value == "support"
    again.button(key="play_new").click().run()
    again.text_area(key="play_A_m1").input("Something new.").run()
    again.session_state["playpop_save"] = True
    again.run()
    assert again.selectbox(key="play_save_as_").value == "A new prompt"


def test_included_prompts_are_filled_in_on_the_playground(here: Runtime) -> None:
    keep(here, "tone", content("Be {{ tone }}."))
    keep(here, "support", content('Help. {% include "tone" %}', "Hello?"))
    page = visit("prompt_playground.py", **{"from": "support"})
    page.text_area(key="play_var_tone").input("kind").run()
    assert not page.exception
    assert "needs" not in words(page)

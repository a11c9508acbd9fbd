"""The page Backends and models: what a person can do there, and what it never shows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import runtime
from core.catalog import actions, prices, queries
from core.people.rules import LOCAL
from core.settings import ROOT
from tests.pages.visiting import visit

PAGE = str(ROOT / "pages" / "backends_models.py")
KEY = "sk-only-typed-never-shown-42"


@pytest.fixture
def running(store_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[runtime.Runtime]:
    """A Greenroom of this test's own, which looks for no local servers."""
    monkeypatch.setenv("GREENROOM_DATABASE_URL", store_url)
    monkeypatch.setenv("GREENROOM_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("GREENROOM_PROBE_LOCAL", "false")
    runtime.forget()
    yield runtime.current()
    runtime.forget()


@pytest.fixture
def nobody_home(running: runtime.Runtime, at: datetime) -> str:
    """A backend at an address where nothing listens."""
    with running.db.write() as session:
        actions.add_backend(
            session, name="gone", base_url="http://127.0.0.1:9/v1", key=KEY, by=LOCAL, at=at, vault=running.vault
        )
    running.refresh()
    return "gone"


def opened(**params: str) -> AppTest:
    page = AppTest.from_file(PAGE, default_timeout=60)
    for name, value in params.items():
        page.query_params[name] = value
    page.run()
    assert not page.exception
    return page


def said(page: AppTest) -> str:
    """All the words on the page."""
    return "\n".join(
        str(getattr(element, "value", ""))
        for kind in ("markdown", "caption", "text", "error", "subheader", "code")
        for element in getattr(page, kind)
    )


def test_the_embedded_backend_is_ready_at_the_first_look(running: runtime.Runtime) -> None:
    page = opened()
    assert "**builtin**" in said(page)
    assert "Embedded: no key, no network" in said(page)


def test_a_backend_is_added_and_its_key_is_gone_from_the_page(running: runtime.Runtime) -> None:
    page = opened()
    page.selectbox("backend_add_preset").select("Another server").run()
    page.button_group("backend_add_way_").set_value("Paste the key").run()
    page.text_input("backend_add_name__0").set_value("mine")
    page.text_input("backend_add_url__0").set_value("http://127.0.0.1:9/v1")
    page.text_input("backend_add_key__0").set_value(KEY)
    page.button("backend_add_submit").click().run()
    assert not page.exception
    assert "**mine does not answer as it should.**" in said(page)
    with running.db.read() as session:
        assert queries.backend(session, "mine").key_kind == "stored"
    page.run()
    assert KEY not in said(page) + "".join(field.value or "" for field in page.text_input)
    assert page.query_params["backend"] in ("mine", ["mine"])


def test_an_unreachable_backend_says_a_sentence(running: runtime.Runtime, nobody_home: str) -> None:
    page = opened(backend=nobody_home)
    page.button("backend_test_2").click().run()
    assert not page.exception
    assert "Connection refused" in said(page)
    assert "did not answer the last test" in said(opened())


def test_a_new_address_without_the_key_is_refused_on_the_page(running: runtime.Runtime, nobody_home: str) -> None:
    page = opened(backend=nobody_home)
    page.text_input("backend_url_2_1").set_value("http://127.0.0.1:10/v1")
    page.button("backend_save_2").click().run()
    assert not page.exception
    assert "Enter the key that belongs to the new address" in said(page)
    with running.db.read() as session:
        assert queries.backend(session, nobody_home).base_url == "http://127.0.0.1:9/v1"


def test_a_model_is_named_by_hand_and_the_backend_switched_off(running: runtime.Runtime, nobody_home: str) -> None:
    page = opened(backend=nobody_home)
    page.multiselect("backend_picked_2").set_value(["gpt-unlisted"])
    page.button("backend_pick_2").click().run()
    assert [model.name for model in running.catalog.models if model.backend == nobody_home] == ["gpt-unlisted"]
    page.button("backend_switch_2").click().run()
    assert not running.catalog.backends[nobody_home].is_enabled
    assert ":gray-badge[off]" in said(page)


def test_timeouts_are_changed(running: runtime.Runtime, nobody_home: str) -> None:
    page = opened(backend=nobody_home)
    page.number_input("backend_connect_2_1").set_value(2.5)
    page.button("backend_limit_2").click().run()
    assert running.catalog.backends[nobody_home].connect_s == 2.5


def test_an_alias_is_made_changed_and_brought_back(running: runtime.Runtime) -> None:
    page = opened(backends_view="Aliases")
    page.text_input("alias_name_0").set_value("support").run()
    page.multiselect("alias_steps_0").set_value(["builtin/answer", "builtin/rules"])
    page.button("alias_save_0").click().run()
    assert not page.exception
    assert running.catalog.aliases["support"].steps == (("builtin", "answer"), ("builtin", "rules"))
    page = opened(backends_view="Aliases", alias="support")
    page.multiselect("alias_stepssupport_1").set_value(["builtin/tiny"])
    page.number_input("alias_cachesupport_1").set_value(5.0)
    page.button("alias_savesupport_1").click().run()
    alias = running.catalog.aliases["support"]
    assert (alias.version, alias.steps, alias.cache_ttl_s) == (2, (("builtin", "tiny"),), 300)
    page = opened(backends_view="Aliases", alias="support")
    page.button("alias_back_support_1").click().run()
    assert running.catalog.aliases["support"].version == 3
    assert running.catalog.aliases["support"].steps == (("builtin", "answer"), ("builtin", "rules"))
    page.button("alias_off_support").click().run()
    assert "support" not in running.catalog.aliases


def test_a_price_of_ones_own_is_in_effect_at_once(running: runtime.Runtime, nobody_home: str, at: datetime) -> None:
    with running.db.write() as session:
        actions.add_model(session, backend=nobody_home, name="m", by=LOCAL, at=at)
    running.refresh()
    page = opened(backends_view="Prices")
    assert "unpriced" in list(page.dataframe[0].value["Price from"])
    page.text_input("price_input").set_value("2.50")
    page.text_input("price_output").set_value("ten")
    page.button("price_submit").click().run()
    assert any("The price of output is not a number" in error.proto.title for error in page.error)
    page.text_input("price_output").set_value("$10")
    page.button("price_submit").click().run()
    assert not page.exception
    own = prices.own_price(running.catalog, nobody_home, "m", datetime.now(at.tzinfo))
    assert own is not None
    assert (own.input_usd, own.output_usd, own.set_by) == (Decimal("2.5"), Decimal(10), "local")


def test_a_model_is_marked_as_taking_pictures_and_nothing_else_changes(
    running: runtime.Runtime, nobody_home: str, at: datetime
) -> None:
    with running.db.write() as session:
        for name in ("a", "b"):
            actions.add_model(session, backend=nobody_home, name=name, by=LOCAL, at=at)
    running.refresh()
    page = opened(backend=nobody_home)
    page.multiselect("backend_seeing_2").set_value(["b"])
    page.multiselect("backend_picked_2").set_value(["a", "b", "c"])
    page.button("backend_pick_2").click().run()
    assert not page.exception
    models = {
        (m.name, m.is_enabled, m.takes_image, m.takes_audio) for m in running.catalog.models if m.backend == "gone"
    }
    assert models == {("a", True, False, False), ("b", True, True, False), ("c", True, False, False)}
    assert page.multiselect("backend_seeing_2").value == ["b"]


def test_what_was_done_is_said_on_the_page_that_follows(running: runtime.Runtime, nobody_home: str) -> None:
    page = visit("backends_models.py", backend=nobody_home)
    page.number_input("backend_connect_2_1").set_value(3.0)
    page.button("backend_limit_2").click().run()
    assert [toast.value for toast in page.toast] == ["Saved the timeouts."]
    assert not page.run().toast


def test_the_cards_of_the_embedded_models_are_shown(running: runtime.Runtime) -> None:
    page = opened(backends_view="Embedded")
    assert {"builtin/extract", "builtin/answer", "builtin/rules", "builtin/tiny"} <= {code.value for code in page.code}

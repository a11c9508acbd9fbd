"""A model's name means one thing: an alias, a path, or the one backend that has it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.catalog.rules import AliasView, Resolved, resolve
from core.errors import BackendUnavailable, Invalid, NotFound
from tests.catalog.catalogs import LOCAL, OPENAI, catalog

FAST = AliasView("fast", 3, (("openai", "gpt-4o"), ("ollama", "llama3.2:1b")), cache_ttl_s=60, answers_by_rules=True)


def paths(resolved: Resolved) -> list[str]:
    return [f"{step.backend.name}/{step.model}" for step in resolved.steps]


def test_an_alias_comes_first_with_its_steps_in_order() -> None:
    resolved = resolve(catalog(aliases=(FAST,)), "fast")
    assert paths(resolved) == ["openai/gpt-4o", "ollama/llama3.2:1b"]
    assert (resolved.alias, resolved.alias_version, resolved.cache_ttl_s, resolved.answers_by_rules) == (
        "fast",
        3,
        60,
        True,
    )


def test_a_path_needs_no_listed_model() -> None:
    assert paths(resolve(catalog(), "openai/gpt-99")) == ["openai/gpt-99"]


def test_a_path_keeps_the_slashes_of_the_models_own_name() -> None:
    assert paths(resolve(catalog(), "router/meta-llama/llama-3")) == ["router/meta-llama/llama-3"]


def test_a_bare_name_means_the_one_backend_that_has_it() -> None:
    assert paths(resolve(catalog(), "llama3.2:1b")) == ["ollama/llama3.2:1b"]


def test_a_model_whose_name_has_a_slash_is_found_by_it() -> None:
    assert paths(resolve(catalog(), "meta-llama/llama-3")) == ["router/meta-llama/llama-3"]


def test_a_backends_path_wins_over_a_model_of_that_name() -> None:
    assert paths(resolve(catalog(), "openai/o3")) == ["openai/o3"]


def test_a_name_that_two_backends_have_is_refused_with_both() -> None:
    with pytest.raises(Invalid, match="openai/shared, ollama/shared") as caught:
        resolve(catalog(), "shared")
    assert (caught.value.code, caught.value.param) == ("ambiguous_model", "model")


@pytest.mark.parametrize(
    ("asked", "meant"), [("gpt-4", "gpt-4o"), ("GPT-4O", "gpt-4o"), ("fsat", "fast"), ("openai/gpt4o", None)]
)
def test_a_near_miss_is_told_the_near_name(asked: str, meant: str | None) -> None:
    if meant is None:
        assert paths(resolve(catalog(), asked)) == [asked]
        return
    with pytest.raises(NotFound) as caught:
        resolve(catalog(aliases=(FAST,)), asked)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert f"Did you mean {meant!r}?" in caught.value.hint


def test_a_switched_off_backend_is_said_to_be_off() -> None:
    with pytest.raises(NotFound, match="'off' is switched off"):
        resolve(catalog(), "off/only-here")
    with pytest.raises(NotFound):
        resolve(catalog(), "only-here")


def test_an_alias_leaves_out_what_is_switched_off() -> None:
    alias = AliasView("mixed", 1, (("off", "only-here"), ("openai", "gpt-4o")))
    assert paths(resolve(catalog(aliases=(alias,)), "mixed")) == ["openai/gpt-4o"]


def test_an_alias_with_nothing_left_is_unavailable_unless_rules_may_answer() -> None:
    dead = AliasView("dead", 1, (("off", "only-here"),))
    with pytest.raises(BackendUnavailable, match="'dead' is switched off"):
        resolve(catalog(aliases=(dead,)), "dead")
    rules = AliasView("rules", 1, (("off", "only-here"),), answers_by_rules=True)
    assert resolve(catalog(aliases=(rules,)), "rules").steps == ()


def test_no_view_shows_its_key() -> None:
    assert "sk-secret" not in repr(OPENAI) + str(catalog())
    assert LOCAL.key is None


@given(st.text(max_size=300).filter(lambda asked: "/" not in asked))
def test_whatever_is_asked_is_answered_with_a_sentence(asked: str) -> None:
    with pytest.raises(NotFound) as caught:
        resolve(catalog(), f"?{asked}")
    assert caught.value.message.endswith(".")
    assert len(caught.value.message) < 700

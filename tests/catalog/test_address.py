"""A backend's address is plain http or https and never a cloud's metadata service."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.catalog import address
from core.errors import Invalid


@pytest.mark.parametrize(
    ("given_", "kept"),
    [
        ("http://localhost:11434", "http://localhost:11434/v1"),
        ("https://api.openai.com/v1/", "https://api.openai.com/v1"),
        (" https://API.OpenAI.com/v1/chat/completions ", "https://api.openai.com/v1"),
        (
            "https://generativelanguage.googleapis.com/v1beta/openai/",
            "https://generativelanguage.googleapis.com/v1beta/openai",
        ),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("https://api.perplexity.ai", "https://api.perplexity.ai"),
        (
            "https://x.openai.azure.com/openai/deployments/d/chat/completions?api-version=2024-10-21",
            "https://x.openai.azure.com/openai/deployments/d?api-version=2024-10-21",
        ),
        (
            "https://x.services.ai.azure.com/models/chat/completions?api-version=2024-05-01-preview",
            "https://x.services.ai.azure.com/models?api-version=2024-05-01-preview",
        ),
        ("https://host?a=1&b=", "https://host/v1?a=1&b="),
        ("https://host/v1?", "https://host/v1"),
    ],
)
def test_an_address_is_tidied(given_: str, kept: str) -> None:
    assert address.check_base_url(given_) == kept


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not an http"),
        ("api.openai.com/v1", "not an http"),
        ("ftp://host/v1", "not an http"),
        ("file:///etc/passwd", "not an http"),
        ("https://user:secret@host/v1", "user name or password"),
        ("https://host/v1?key=secret@", "a key in its query"),
        ("https://host/v1?a=1&access_token=secret@", "a key in its query"),
        ("https://host/v1#part", "fragment"),
        ("https://host:99999/v1", "not an address"),
        ("https://ho st/v1", "spaces"),
        ("https://host/v1\r\nX: y", "spaces"),
        ("http://169.254.169.254/v1", "metadata"),
        ("http://169.254.170.2/v1", "metadata"),
        ("http://2852039166/v1", "metadata"),
        ("http://0xa9fea9fe/v1", "metadata"),
        ("http://[::ffff:169.254.169.254]/v1", "metadata"),
        ("http://[fd00:ec2::254]/v1", "metadata"),
        ("http://[fe80::1]/v1", "metadata"),
        ("http://metadata.google.internal./v1", "metadata"),
        ("http://100.100.100.200/v1", "metadata"),
        ("http://168.63.129.16/v1", "metadata"),
        ("http://[64:ff9b::a9fe:a9fe]/v1", "metadata"),
        ("http://[2002:a9fe:a9fe::1]/v1", "metadata"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused_with_a_reason(text: str, why: str) -> None:
    with pytest.raises(Invalid, match=why) as caught:
        address.check_base_url(text)
    assert caught.value.hint
    assert "secret@" not in str(caught.value)


@given(st.text(max_size=600))
def test_any_text_is_an_address_or_refused(text: str) -> None:
    with contextlib.suppress(Invalid):
        assert address.check_base_url(text).startswith(("http://", "https://"))


def test_a_query_stays_behind_every_path() -> None:
    assert address.under("https://h/v1?api-version=7", "/models") == "https://h/v1/models?api-version=7"
    assert address.under("https://h/v1", "/models") == "https://h/v1/models"


def test_azure_is_told_its_key_in_its_own_header() -> None:
    assert address.key_headers("https://h/openai/deployments/d?Api-Version=7", "k") == [("api-key", "k")]
    assert address.key_headers("https://h/v1?region=eu", "k") == [("authorization", "Bearer k")]
    assert address.key_headers("https://h/v1", None) == []


@pytest.mark.parametrize("name", ["", "a/b", "-a", "a b", "ä", "a" * 65, "a\n", "../x"])
def test_a_name_with_other_signs_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        address.check_name(name, "a backend")


@pytest.mark.parametrize("name", ["GREENROOM_SECRET_KEY", "STREAMLIT_SERVER_COOKIE_KEY", "PATH", "openai_key", "A KEY"])
def test_a_variable_that_is_no_backends_key_is_refused(name: str) -> None:
    with pytest.raises(Invalid):
        address.check_variable(name)

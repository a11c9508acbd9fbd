"""Claims become roles only as the operator mapped them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import Invalid
from core.people import claims
from core.people.rules import Role

MAP = {"gr-admins": "admin", "gr-eng": "engineer"}


def roles(told: dict[str, Any], *, claim: str = "groups", admins: tuple[str, ...] = ()) -> set[Role]:
    return set(claims.roles(told, roles_claim=claim, role_map=MAP, admins=admins))


def test_groups_that_are_mapped_give_roles_and_others_nothing() -> None:
    assert roles({"groups": ["gr-eng", "everyone"]}) == {Role.ENGINEER}
    assert roles({"groups": []}) == set()
    assert roles({}) == set()


def test_groups_may_come_as_one_text() -> None:
    assert roles({"groups": "gr-eng, gr-admins"}) == {Role.ENGINEER, Role.ADMIN}


def test_a_claim_may_lie_deeper() -> None:
    assert roles({"realm_access": {"roles": ["gr-eng"]}}, claim="realm_access.roles") == {Role.ENGINEER}


def test_a_claim_whose_name_has_a_dot_is_found_as_it_is() -> None:
    assert roles({"https://x.example/groups": ["gr-eng"]}, claim="https://x.example/groups") == {Role.ENGINEER}


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_an_unchecked_address_makes_nobody_an_admin(verified: object) -> None:
    assert roles({"email": "ada@x.example", "email_verified": verified}, admins=("ada@x.example",)) == set()


def test_a_checked_address_makes_an_admin_whatever_its_letters() -> None:
    told = {"email": "Ada@X.example", "email_verified": True}
    assert roles(told, admins=(" ada@x.example",)) == {Role.ADMIN}


def test_an_empty_address_is_nobodys() -> None:
    assert roles({"email": "", "email_verified": True}, admins=("",)) == set()


def test_a_role_that_does_not_exist_is_named() -> None:
    with pytest.raises(Invalid, match="wizard"):
        claims.mapping({"g": "wizard"})


def test_nobody_comes_in_without_a_subject_or_a_moment() -> None:
    for lacking in ("iss", "sub", "iat"):
        told = {"iss": "https://idp", "sub": "1", "iat": 1_700_000_000}
        del told[lacking]
        with pytest.raises(Invalid):
            claims.read(told)


@given(st.dictionaries(st.sampled_from(["groups", "email", "email_verified", "iat", "iss", "sub"]), st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)))  # fmt: skip
def test_no_claims_whatever_break_the_reading_or_give_a_role_not_mapped(told: dict[str, Any]) -> None:
    assert roles(told) <= {Role.ADMIN, Role.ENGINEER}
    try:
        who = claims.read(told)
    except Invalid:
        return
    assert who.issuer
    assert who.subject

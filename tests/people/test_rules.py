"""Rights: what nobody granted is denied, in one project and in all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import NotAllowed
from core.people.rules import CLI, GRANTS, LOCAL, SYSTEM, Permission, Principal, Role, require


def person(**roles: Role) -> Principal:
    return Principal(
        "person:1", "Mo", {int(k[1:]) if k != "everywhere" else None: frozenset({v}) for k, v in roles.items()}
    )


def test_every_role_has_a_row() -> None:
    assert set(GRANTS) == set(Role)


def test_no_role_may_call_the_gateway_because_only_keys_do() -> None:
    assert not [role for role, may in GRANTS.items() if Permission.GATEWAY_CALL in may]


@given(st.sampled_from(list(Permission)), st.none() | st.integers(1, 9))
def test_whoever_has_no_role_may_do_nothing(permission: Permission, project_id: int | None) -> None:
    assert not Principal("person:1", "Mo").may(permission, project_id)


def test_a_role_in_one_project_counts_there_and_nowhere_else() -> None:
    mo = person(p1=Role.ENGINEER)
    assert mo.may(Permission.KEY_CHANGE, 1)
    assert not mo.may(Permission.KEY_CHANGE, 2)
    assert not mo.may(Permission.KEY_CHANGE)
    assert mo.may_somewhere(Permission.KEY_CHANGE)


def test_a_role_everywhere_counts_in_every_project() -> None:
    ada = person(everywhere=Role.ADMIN)
    assert ada.may(Permission.PEOPLE_CHANGE, 7)
    assert ada.may(Permission.PEOPLE_CHANGE)


def test_roles_add_up() -> None:
    both = Principal("person:1", "Mo", {None: frozenset({Role.VIEWER}), 1: frozenset({Role.AUDITOR})})
    assert both.may(Permission.AUDIT_READ, 1)
    assert not both.may(Permission.AUDIT_READ, 2)
    assert both.may(Permission.USAGE_READ, 2)


@given(st.sampled_from(list(Permission)), st.none() | st.integers(1, 3))
def test_a_key_may_only_call_and_give_feedback_in_its_own_project(
    permission: Permission, project_id: int | None
) -> None:
    key = Principal("key:7", "bot", key_id=7, key_project=1)
    is_its = permission in {Permission.GATEWAY_CALL, Permission.FEEDBACK_GIVE} and project_id == 1
    assert key.may(permission, project_id) is is_its


def test_an_auditor_reads_and_changes_nothing() -> None:
    assert not [right for right in GRANTS[Role.AUDITOR] if right.endswith((":change", ":use", ":give", ":call"))]


@pytest.mark.parametrize("somebody", [LOCAL, CLI, SYSTEM])
def test_this_computer_the_command_line_and_the_system_may_administer(somebody: Principal) -> None:
    require(somebody, Permission.PEOPLE_CHANGE)


def test_a_refusal_names_who_and_what() -> None:
    with pytest.raises(NotAllowed, match=r"Mo may not do this here \(key:change\)"):
        require(person(p1=Role.VIEWER), Permission.KEY_CHANGE, 1)

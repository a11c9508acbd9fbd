"""What an identity provider says of a person, read tolerantly; which roles follow from it, decided strictly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from core import clock
from core.errors import Invalid
from core.people.rules import Role

_TEXT = 320


@dataclass(frozen=True, slots=True)
class Identity:
    """Who signed in, when, and the two names people know them by (shown, never trusted)."""

    issuer: str
    subject: str
    signed_in_at: datetime
    email: str = ""
    name: str = ""


def read(claims: Mapping[str, Any]) -> Identity:
    """The identity in an ID token's claims. Raises: Invalid when it names nobody or no moment."""
    issuer, subject = _text(claims.get("iss")), _text(claims.get("sub"))
    signed_in_at = issued_at(claims)
    if not issuer or not subject or signed_in_at is None:
        raise Invalid(
            "The identity provider did not say who you are, or since when.",
            hint="Tell your operator: the ID token lacks iss, sub or iat.",
        )
    return Identity(issuer, subject, signed_in_at, _text(claims.get("email")), _text(claims.get("name")))


def issued_at(claims: Mapping[str, Any]) -> datetime | None:
    """When the provider vouched for this person: the token's `iat`."""
    value = claims.get("iat")
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return clock.from_micros(int(float(value) * 1_000_000))
    except (ValueError, OverflowError):
        return None


def groups(claims: Mapping[str, Any], claim: str) -> frozenset[str] | None:
    """The groups in a claim (`groups`, or a path such as `realm_access.roles`); None when it is not there."""
    value: Any = claims.get(claim)
    if value is None:
        value = claims
        for part in claim.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
    if value is None:
        return None
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, Sequence):
        return frozenset()
    return frozenset(group.strip() for group in value if isinstance(group, str) and group.strip())


def roles(
    claims: Mapping[str, Any], *, roles_claim: str, role_map: Mapping[str, str], admins: Sequence[str]
) -> frozenset[Role]:
    """The roles that the operator's mapping gives these claims, in every project.

    An e-mail address makes an admin only when the provider says that it checked it (`email_verified` is true).
    """
    known = mapping(role_map)
    found = {known[group] for group in groups(claims, roles_claim) or () if group in known}
    email = _text(claims.get("email")).casefold()
    if email and claims.get("email_verified") is True and email in {admin.strip().casefold() for admin in admins}:
        found.add(Role.ADMIN)
    return frozenset(found)


def mapping(role_map: Mapping[str, str]) -> Mapping[str, Role]:
    """Group → role, as the operator wrote it. Raises: Invalid naming a role that does not exist."""
    try:
        return {group: Role(role) for group, role in role_map.items()}
    except ValueError as error:
        raise Invalid(
            f"GREENROOM_ROLE_MAP names a role that does not exist: {error}.",
            hint=f"The roles are: {', '.join(Role)}.",
        ) from None


def _text(value: Any) -> str:
    return value.replace("\0", "").strip()[:_TEXT] if isinstance(value, str) else ""

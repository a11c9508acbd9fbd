"""Signing in: who the identity provider says is here, for how long that counts, and the page that asks.

The cookie only says who signed in and when. What they may do is in the store and read on every run.
"""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import streamlit as st

from core import bridge, clock, runtime, settings
from core.errors import GreenroomError, NotAllowed, NotSignedIn, Upstream
from core.people import actions, claims, queries, userinfo
from core.people.rules import Principal
from pages.parts import acting, reads

DEFAULT = "default"


def only_this_computer() -> None:
    """Without login, refuse anyone but this computer, even where the doors in front were left out."""
    host = st.context.headers.get("Host", "")
    if host and not is_loopback(urlsplit(f"//{host}").hostname or ""):
        st.error(
            "Without login Greenroom serves this computer only. Open it at http://127.0.0.1, or configure login "
            "(README.md, “Login”).",
            title="This address is not served.",
            icon=":material/lock:",
        )
        st.stop()


def is_loopback(host: str) -> bool:
    """Whether a host name can only mean this computer."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def principal() -> Principal:
    """Who is signed in, with today's rights. Raises: NotSignedIn, NotAllowed, Invalid, Upstream."""
    told = _told()
    if told is None:
        raise NotSignedIn("You are not signed in.", code="signed_out", hint="Sign in to go on.")
    who = claims.read(told)
    hours = settings.load().sign_in_hours
    if clock.now() - who.signed_in_at > timedelta(hours=hours):
        raise NotSignedIn(
            f"You signed in more than {hours} hours ago.", code="sign_in_expired", hint="Sign in again to go on."
        )
    person = reads.fresh(queries.person_by_identity, who.issuer, who.subject)
    if person is None or person.claims_at is None or who.signed_in_at > person.claims_at:
        complete = _complete(told)
        return acting.attempt(actions.sign_in, claims=complete, settings=runtime.current().settings, at=clock.now())
    found = reads.fresh(queries.principal, person.id)
    if found is None:
        raise NotAllowed("Your access was switched off.", hint="Ask an admin if this is a mistake.")
    return found


def page(trouble: GreenroomError) -> None:
    """The page everyone sees who may not come in (yet): why, and the way in."""
    with st.container(horizontal_alignment="center", gap="medium"):
        st.space("large")
        if isinstance(trouble, NotSignedIn):
            st.title("Greenroom", text_alignment="center", anchor=False)
            st.markdown(_welcome(trouble), text_alignment="center")
            for name in providers():
                if st.button(_label(name), key=f"sign_in_{name}", type="primary", icon=":material/login:"):
                    st.login(None if name == DEFAULT else name)
        else:
            st.error(trouble.hint or "Ask an admin of Greenroom.", title=trouble.message, icon=":material/lock:")
            with st.container(horizontal=True, horizontal_alignment="center"):
                if st.button("Try again", key="sign_in_retry", icon=":material/refresh:"):
                    st.rerun()
                if _told() is not None and st.button("Sign out", key="sign_in_out", icon=":material/logout:"):
                    st.logout()


def providers() -> tuple[str, ...]:
    """The identity providers that are configured; "default" where `[auth]` names just one."""
    auth = settings.login()
    named = tuple(name for name, section in auth.items() if isinstance(section, dict) and "client_id" in section)
    return (DEFAULT, *named) if "client_id" in auth else named


def _welcome(trouble: GreenroomError) -> str:
    if trouble.code == "signed_out":
        return "Sign in to see what your applications say."
    return f"{trouble.message} {trouble.hint}"


def _label(name: str) -> str:
    return "Sign in" if name == DEFAULT else f"Sign in with {name}"


def _told() -> dict[str, Any] | None:
    """The claims of whoever signed in, or None. (A proxy's header says `is_logged_in` as text.)"""
    told: dict[str, Any] = dict(st.user.to_dict())
    return told if str(told.get("is_logged_in", "")).lower() in {"true", "1"} else None


def _complete(told: dict[str, Any]) -> dict[str, Any]:
    """The claims with those the provider keeps for its userinfo endpoint, where roles need them.

    Asked once per sign-in. When the provider does not answer, nobody's roles are lost: the sign-in is tried again.
    """
    chosen = settings.load()
    lacks_groups = bool(chosen.role_map) and claims.groups(told, chosen.roles_claim) is None
    lacks_email = bool(chosen.admins) and "email" not in told
    token = _access_token()
    if not (lacks_groups or lacks_email) or not token:
        return told
    auth = settings.login()
    section = auth.get(str(told.get("provider")), auth)
    try:
        more = bridge.call(
            userinfo.ask,
            runtime.current().client,
            metadata_url=str(section.get("server_metadata_url", "")),
            access_token=token,
            subject=str(told.get("sub")),
        )
    except Upstream as error:
        raise NotAllowed(
            "The identity provider could not be asked which groups you are in.", hint="Try again in a minute."
        ) from error
    return {**more, **told}


def _access_token() -> str:
    """The provider's token, where `expose_tokens` in `[auth]` has "access"; else ""."""
    exposed = settings.login().get("expose_tokens", ())
    if "access" not in ([exposed] if isinstance(exposed, str) else exposed):
        return ""
    try:
        return str(st.user.tokens.get("access") or "")
    except AttributeError:
        return ""

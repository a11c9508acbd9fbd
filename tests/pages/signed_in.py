"""A Greenroom with login configured, and people who are signed in, for tests that run pages without a browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core import clock, runtime, settings
from core.people import actions, queries
from core.people.rules import LOCAL, Principal, Role
from core.runtime import Runtime

SHELL = settings.ROOT / "pages" / "shell.py"
ISSUER = "https://idp.example"
AUTH = """
[auth]
redirect_uri = "http://127.0.0.1:8501/oauth2callback"
cookie_secret = "for-tests-only-0123456789abcdef0123456789"
client_id = "greenroom"
client_secret = "for-tests-only"
server_metadata_url = "https://idp.example/.well-known/openid-configuration"
"""


@contextmanager
def greenroom(folder: Path, url: str, *, secrets: str = AUTH, **variables: str) -> Iterator[Runtime]:
    """A runtime of its own on this store; `secrets` is what stands in secrets.toml ("": no login)."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "secrets.toml"
    file.write_text(secrets)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings, "SECRETS_FILES", (file,))
        values = {"DATABASE_URL": url, "DATA_DIR": str(folder), "PROBE_LOCAL": "false", **variables}
        for name, value in values.items():
            patch.setenv(f"GREENROOM_{name}", value)
        _forget()
        try:
            yield runtime.current()
        finally:
            _forget()


def _forget() -> None:
    runtime.forget()
    settings.login_configured.cache_clear()


def claims(subject: str, **more: Any) -> dict[str, Any]:
    """What the identity provider tells Streamlit of somebody who signed in just now."""
    now_s = int(clock.now().timestamp())
    return {"is_logged_in": True, "iss": ISSUER, "sub": subject, "iat": now_s, "name": subject.title(), **more}


def person(here: Runtime, subject: str, *roles: Role, project_id: int | None = None) -> Principal:
    """Somebody who signed in before and was given roles."""
    with here.db.write() as session:
        found = actions.sign_in(session, claims=claims(subject), settings=here.settings, at=clock.now())
        for role in roles:
            assert found.person_id is not None
            given = {"person_id": found.person_id, "role": role, "project_id": project_id}
            actions.grant(session, by=LOCAL, at=clock.now(), **given)
        again = queries.principal(session, found.person_id or 0)
        assert again is not None
        return again


def opened(page: Path = SHELL, user: dict[str, Any] | None = None, **params: str) -> AppTest:
    """A page, run once by this user."""
    test = AppTest.from_file(str(page), default_timeout=60)
    if user is not None:
        test.user = user
    for name, value in params.items():
        test.query_params[name] = value
    return test.run()


def said(page: AppTest) -> str:
    """The words of the page's titles, errors, texts and captions."""
    found: list[str] = []
    for kind in ("title", "markdown", "caption", "text", "error", "warning", "info", "subheader"):
        for element in getattr(page, kind):
            found += [str(getattr(element, "value", "")), str(getattr(element.proto, "title", ""))]
    return "\n".join(found)

"""What the doctor sees on this machine: settings, disk, secret key, login, tokenizers."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from core import settings
from core.people.rules import Role
from core.vault import MIN_LENGTH

GIGABYTE = 1_000_000_000
COOKIE_VARIABLE = "STREAMLIT_SERVER_COOKIE_SECRET"


class State(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's: how it is, what it is, and what to do where something is wrong."""

    state: State
    said: str
    mend: str = ""


def configured(chosen: settings.Settings, sources: Mapping[str, str], unknown: list[str]) -> list[Finding]:
    """Every setting that is not the default, and variables that look like settings and are none."""
    found = []
    for name, source in sources.items():
        if source != "default":
            found.append(Finding(State.OK, f"{name} = {_shown(name, getattr(chosen, name))} (from {source})"))
    if not found:
        found.append(Finding(State.OK, "Settings: every one is the default"))
    found += [Finding(State.WARN, f"{name} is set and means nothing", "Check its spelling.") for name in unknown]
    return found


def _shown(name: str, value: Any) -> str:
    """A setting without what is secret in it."""
    if name == "secret_key":
        return "(hidden)"
    if name == "database_url":
        try:
            return make_url(value).render_as_string(hide_password=True)
        except (ArgumentError, ValueError):
            return "(not an address)"
    return str(value)


def _nearest(folder: Path) -> Path:
    """The folder, or the deepest above it that is there as far as this user can see."""
    for place in (folder, *folder.parents):
        with suppress(PermissionError):
            if place.exists():
                return place
    return Path(folder.anchor)


def folder(chosen: settings.Settings) -> Finding:
    """Whether the data folder takes files, or can be made."""
    place = _nearest(chosen.data_dir)
    if not place.is_dir():
        return Finding(State.FAIL, f"Data folder: {place} is not a folder", "Set GREENROOM_DATA_DIR to one.")
    if not os.access(place, os.W_OK | os.X_OK):
        return Finding(
            State.FAIL,
            f"Data folder: this user may not write to {place}",
            "Give this user the folder, or set GREENROOM_DATA_DIR to one it owns.",
        )
    made = "" if place == chosen.data_dir else ", made at the first start"
    return Finding(State.OK, f"Data folder: {chosen.data_dir}{made}")


def disk(chosen: settings.Settings) -> Finding:
    """How much room the data folder has."""
    folder = _nearest(chosen.data_dir)
    free = shutil.disk_usage(folder).free
    said = f"Disk: {free / GIGABYTE:.1f} GB free for {chosen.data_dir}"
    if free < GIGABYTE / 10:
        return Finding(State.FAIL, said, "Free some: without room no call can be recorded, and none is answered.")
    if free < GIGABYTE:
        return Finding(State.WARN, said, "Free some soon.")
    return Finding(State.OK, said)


def secret(chosen: settings.Settings) -> Finding:
    """Whether the key that stored backend keys are encrypted under is there and kept to its owner."""
    if chosen.secret_key:
        if len(chosen.secret_key) < MIN_LENGTH:
            said = f"GREENROOM_SECRET_KEY is shorter than {MIN_LENGTH} characters"
            return Finding(State.FAIL, said, "Use a long random text.")
        return Finding(State.OK, "Secret key: from GREENROOM_SECRET_KEY")
    file = chosen.data_dir / "secret.key"
    if not os.access(file, os.F_OK):
        return Finding(State.OK, f"Secret key: made at the first start, in {file}")
    if not os.access(file, os.R_OK):
        return Finding(State.FAIL, f"Secret key: this user may not read {file}", "Give this user the file.")
    if len(file.read_text(encoding="utf-8", errors="replace").strip()) < MIN_LENGTH:
        return Finding(State.FAIL, f"Secret key: {file} is not whole", "Restore it: stored backend keys need it.")
    if stat.S_IMODE(file.stat().st_mode) & 0o077:
        return Finding(State.WARN, f"Secret key: {file} can be read by others", f"chmod 600 {file}")
    return Finding(State.OK, f"Secret key: {file}")


def login(chosen: settings.Settings, auth: Mapping[str, Any]) -> list[Finding]:
    """Whether `[auth]` can work, and whether anybody would be an admin then."""
    if not auth:
        return [Finding(State.OK, "Login: none, one person on this machine (other hosts are refused)")]
    found = [*_provider(auth), *_roles(chosen)]
    if find_spec("authlib") is None:
        found.append(Finding(State.FAIL, "Login: authlib is missing", "uv sync"))
    if not settings.environment(COOKIE_VARIABLE):
        found.append(
            Finding(
                State.WARN,
                f"Login: {COOKIE_VARIABLE} is not set; `greenroom serve` derives it, any other way to start does not",
                "Set it to one long random text on every replica, or logins end in “Missing provider”.",
            )
        )
    return found or [Finding(State.OK, "Login: configured")]


def _provider(auth: Mapping[str, Any]) -> list[Finding]:
    found = []
    redirect = str(auth.get("redirect_uri", ""))
    if urlsplit(redirect).path != "/oauth2callback":
        found.append(
            Finding(State.FAIL, "Login: redirect_uri does not end in /oauth2callback", "[auth] redirect_uri = …")
        )
    elif not redirect.startswith("https://") and urlsplit(redirect).hostname not in {"localhost", "127.0.0.1"}:
        found.append(Finding(State.WARN, "Login: redirect_uri is not https", "Serve the console behind TLS."))
    if len(str(auth.get("cookie_secret", ""))) < 32:
        found.append(
            Finding(State.FAIL, "Login: cookie_secret is missing or short", "[auth] cookie_secret = a long text")
        )
    named = {name: part for name, part in auth.items() if isinstance(part, Mapping) and name != "client_kwargs"}
    for name, part in (named or {"": auth}).items():
        missing = [key for key in ("client_id", "client_secret", "server_metadata_url") if not part.get(key)]
        if missing:
            where = f"[auth.{name}]" if name else "[auth]"
            found.append(Finding(State.FAIL, f"Login: {where} has no {', '.join(missing)}", "The provider tells them."))
    return found


def _roles(chosen: settings.Settings) -> list[Finding]:
    known = {role.value for role in Role}
    found = [
        Finding(State.FAIL, f"Login: role_map gives {group!r} the unknown role {role!r}", f"One of: {', '.join(known)}")
        for group, role in chosen.role_map.items()
        if role not in known
    ]
    if not chosen.admins and Role.ADMIN.value not in chosen.role_map.values():
        found.append(
            Finding(State.WARN, "Login: nobody becomes an admin", "Set GREENROOM_ADMINS, or map a group to admin.")
        )
    return found


def tokenizers() -> Finding:
    """Whether the token counts of OpenAI's models are exact: their rank files are there and unchanged."""
    from core.calls import tokens

    broken = []
    for model in ("gpt-4o", "gpt-4"):
        try:
            if not tokens.count_text(model, "hello world")[1]:
                broken.append(model)
        except Exception as error:  # whatever is wrong with a file, the doctor says so and goes on
            broken.append(f"{model} ({error})")
    if broken:
        return Finding(
            State.FAIL, f"Tokenizers: not exact for {', '.join(broken)}", "Restore data/tokenizers from git."
        )
    return Finding(State.OK, "Tokenizers: both rank files are intact")

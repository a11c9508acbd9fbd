"""What an operator decides before the start: environment `GREENROOM_*`, then `[greenroom]` in
`.streamlit/secrets.toml`, then the defaults here. Read in this one place.

What changes while it runs (aliases, prices, grants) is rows with history, not settings.
"""

from __future__ import annotations

import functools
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

ROOT = Path(__file__).resolve().parent.parent
SECRETS_FILES = (Path(".streamlit/secrets.toml"), ROOT / ".streamlit" / "secrets.toml")


def _secrets() -> dict[str, Any]:
    """The first `.streamlit/secrets.toml` there is, parsed; `{}` when there is none."""
    for file in SECRETS_FILES:
        if file.is_file():
            return tomllib.loads(file.read_text(encoding="utf-8"))
    return {}


class _SecretsSection(PydanticBaseSettingsSource):
    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        return dict(_secrets().get("greenroom", {}))


class Settings(BaseSettings):
    """An operator's choices; every field is documented in README.md's table of settings."""

    model_config = SettingsConfigDict(env_prefix="GREENROOM_", extra="forbid", frozen=True)

    data_dir: Path = ROOT / "data"
    database_url: str = ""
    secret_key: str = Field(default="", repr=False)
    max_body_mb: int = Field(default=25, ge=1, le=1024)
    durability: Literal["process", "power"] = "process"
    public_url: str = ""
    probe_local: bool = True
    local_ports: tuple[int, ...] = (11434, 8080, 8000, 1234)
    roles_claim: str = "groups"
    role_map: dict[str, str] = Field(default_factory=dict)
    admins: tuple[str, ...] = ()
    sign_in_hours: int = Field(default=12, ge=1, le=720)
    allowed_hosts: tuple[str, ...] = ()
    log: Literal["plain", "json"] = "plain"
    scorers_dir: Path | None = None
    workers: str = ""

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().resolve()

    @field_validator("workers")
    @classmethod
    def _scheduler(cls, value: str) -> str:
        if value and not re.fullmatch(r"(tcp|tls)://[^\s/]+:\d{1,5}", value):
            raise ValueError("it is the address of a scheduler, such as tcp://127.0.0.1:8786")
        return value

    @property
    def url(self) -> str:
        """The database's address: the one given, else SQLite in the data folder."""
        return self.database_url or f"sqlite:///{self.data_dir / 'greenroom.db'}"

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, _SecretsSection(settings_cls)


@functools.cache
def load() -> Settings:
    """The settings of this process, read once."""
    return Settings()


def environment(name: str) -> str:
    """The value of one environment variable that a key is kept in; "" when it is not set."""
    return os.environ.get(name, "")


def environment_with(extra: Mapping[str, str]) -> dict[str, str]:
    """This process's environment for a program started from here, with `extra` where it says nothing itself."""
    return {**extra, **os.environ}


def sources() -> dict[str, str]:
    """Where each setting's value comes from: its variable, the secrets file, or the default."""
    in_file = _secrets().get("greenroom", {})
    found = {}
    for name in Settings.model_fields:
        variable = f"GREENROOM_{name.upper()}"
        is_set = any(known.upper() == variable for known in os.environ)
        found[name] = variable if is_set else "secrets.toml" if name in in_file else "default"
    return found


CLIENTS = frozenset({"GREENROOM_API_KEY", "GREENROOM_SERVER"})
"""Variables of programs that talk to a Greenroom, the command line among them; no settings of it."""


def unknown_variables() -> list[str]:
    """Variables that begin like a setting and are none: most likely misspelled."""
    known = CLIENTS | {f"GREENROOM_{name.upper()}" for name in Settings.model_fields}
    return sorted(name for name in os.environ if name.upper().startswith("GREENROOM_") and name.upper() not in known)


def login() -> dict[str, Any]:
    """The `[auth]` section of the secrets file; `{}` when there is none."""
    return dict(_secrets().get("auth", {}))


@functools.cache
def login_configured() -> bool:
    """Whether `[auth]` stands in the secrets file: without it, one person on loopback is served.

    Decided once: a file that is being rewritten while the server runs must not open the console.
    """
    return bool(_secrets().get("auth"))

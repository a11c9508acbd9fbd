"""Where `greenroom prompt` finds the prompts: in the store of this machine, or at a Greenroom on another one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import quote, urlencode

import orjson

from core import settings
from core.cli import opening, owning
from core.cli.opening import Store
from core.db import process
from core.errors import GreenroomError, Invalid, NotSignedIn, UpstreamBroken
from core.ids import Ids
from core.people import actions as people
from core.prompts import files, repository
from core.prompts.files import PromptFile
from core.prompts.includes import reference
from core.prompts.repository import Kept, Taken
from core.wire.client import Client

KEY_VARIABLE = "GREENROOM_API_KEY"
LARGEST = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Row:
    """A prompt in a list; `latest` 0: nothing is on main."""

    name: str
    newest: int
    latest: int
    labels: dict[str, int]
    changed_at: datetime


class Shelf(Protocol):
    """A project's prompts, wherever they are."""

    def rows(self, folder: str) -> list[Row]: ...
    def taken(self, wanted: str) -> Taken: ...
    def kept(self, read: Sequence[PromptFile], *, label: str, branch: str, note: str, is_check: bool) -> list[Kept]: ...
    def moved(self, wanted: str, label: str, *, note: str) -> Kept: ...


@contextmanager
def opened(server: str, project: str | None) -> Iterator[Shelf]:
    """The shelf at `server`, by the key in GREENROOM_API_KEY, or without one this machine's. Raises: GreenroomError."""
    if not server:
        with opening.store() as store:
            yield _Here(store, project)
        return
    if project:
        raise Invalid("A key opens one project.", hint="Leave --project out, and use that project's key.")
    key = settings.environment(KEY_VARIABLE)
    if not key:
        raise NotSignedIn(
            f"{KEY_VARIABLE} is not set.",
            hint="Make a key for a repository of prompts under People and keys, and set it in the environment.",
        )
    yield _There(server.rstrip("/").removesuffix("/v1"), key)


@dataclass(frozen=True, slots=True)
class _Here:
    """The store of this machine."""

    store: Store
    project: str | None

    def rows(self, folder: str) -> list[Row]:
        with self.store.db.read() as session:
            owner = owning.project(session, self.project)
            found = repository.every(session, project_id=owner.id, folder=folder)
        return [Row(row.name, row.newest, row.latest, dict(row.labels), row.changed_at) for row in found]

    def taken(self, wanted: str) -> Taken:
        with self.store.db.read() as session:
            return repository.taken(session, wanted, project_id=owning.project(session, self.project).id)

    def kept(self, read: Sequence[PromptFile], *, label: str, branch: str, note: str, is_check: bool) -> list[Kept]:
        store = self.store
        with store.db.write() as session:
            people.ensure_default_project(session, by=store.by, at=store.at)
            found = repository.kept(
                session, read, project_id=owning.project(session, self.project).id, label=label, branch=branch,
                note=note, by=store.by, at=store.at, ids=Ids(process.register(session, "cli")),
            )  # fmt: skip
            if is_check:
                session.rollback()
        return found

    def moved(self, wanted: str, label: str, *, note: str) -> Kept:
        store = self.store
        with store.db.write() as session:
            return repository.moved(
                session, wanted, label, note=note, project_id=owning.project(session, self.project).id, by=store.by,
                at=store.at, ids=Ids(process.register(session, "cli")),
            )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _There:
    """A Greenroom that is asked over HTTP."""

    server: str
    key: str = field(repr=False)

    def rows(self, folder: str) -> list[Row]:
        found: list[Row] = []
        while True:
            query = {"folder": folder, "after": found[-1].name if found else ""}
            told = self._asked("GET", f"/v1/prompts?{urlencode(query)}")
            found += [
                Row(
                    row["name"], row["newest"], row["latest"], row["labels"],
                    datetime.fromtimestamp(row["changed_at"], UTC),
                )
                for row in told["data"]
            ]  # fmt: skip
            if not told["has_more"] or not told["data"]:
                return found

    def taken(self, wanted: str) -> Taken:
        asked = reference(wanted)
        query = urlencode({"version": asked.number or asked.label})
        told = self._asked("GET", f"/v1/prompts/{quote(asked.name)}?{query}")
        return Taken(files.of_dict(told["file"]), told["version"])

    def kept(self, read: Sequence[PromptFile], *, label: str, branch: str, note: str, is_check: bool) -> list[Kept]:
        body = {
            "files": [files.to_dict(file) for file in read],
            "label": label,
            "branch": branch,
            "note": note,
            "check": is_check,
        }
        return [Kept(**row) for row in self._asked("POST", "/v1/prompts", body)["data"]]

    def moved(self, wanted: str, label: str, *, note: str) -> Kept:
        asked = reference(wanted)
        body = {"label": label, "version": str(asked.number or asked.label), "note": note}
        return Kept(**self._asked("POST", f"/v1/prompts/{quote(asked.name)}/labels", body))

    def _asked(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON that is answered. Raises: GreenroomError, with the server's own sentence where it says one."""
        status, raw = asyncio.run(self._sent(method, path, b"" if body is None else orjson.dumps(body)))
        try:
            told = orjson.loads(raw)
            if status < 400:
                return told
            said = told["error"]
            error = GreenroomError(str(said["message"]))
            error.status, error.code = status, str(said["code"])
        except (ValueError, KeyError, TypeError):
            raise UpstreamBroken(
                f"{self.server} answered with something that is not Greenroom's (status {status}).",
                hint="Check the address: it is the console's, without a path.",
            ) from None
        raise error

    async def _sent(self, method: str, path: str, content: bytes) -> tuple[int, bytes]:
        client = Client()
        headers = [("authorization", f"Bearer {self.key}"), ("content-type", "application/json")]
        try:
            reply = await client.send(method, self.server + path, headers=headers, content=content)
            return reply.status, await reply.read(LARGEST)
        finally:
            await client.aclose()

"""`/v1/prompts`: a project's prompts as files, for a repository on another machine; its own sort of key opens it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qsl

from anyio import to_thread

from core import clock
from core.errors import Invalid
from core.gateway.answering import MEGABYTE, RAISE
from core.gateway.exchange import json_object, read_body
from core.gateway.visit import Visit
from core.prompts import files, queries, repository
from core.prompts.files import PromptFile
from core.prompts.versions import MAIN
from core.prompts.views import PromptView

Json = dict[str, Any]
PER_PAGE = 200
_PUSHED = ("files", "label", "branch", "note", "check")
_MOVED = ("label", "version", "note")


async def prompts(visit: Visit) -> int:
    """A page of the project's prompts by name: those of a `folder`, `after` a name."""
    assert visit.key is not None
    project_id, query = visit.key.project_id, _query(visit)

    def look() -> list[PromptView]:
        with visit.runtime.db.read() as session:
            return list(
                queries.prompts(
                    session, project_ids=[project_id], folder=query.get("folder", ""), after=query.get("after", ""),
                    limit=PER_PAGE + 1,
                )
            )  # fmt: skip

    rows = await to_thread.run_sync(look)
    data = [_shown(row) for row in rows[:PER_PAGE]]
    return await visit.respond(200, {"object": "list", "data": data, "has_more": len(rows) > PER_PAGE})


async def prompt(visit: Visit) -> int:
    """One version as its file: the newest of main, or `version`, a number or a label."""
    assert visit.key is not None
    project_id, version = visit.key.project_id, _query(visit).get("version", "")
    name = visit.scope["path"].removeprefix("/v1/prompts/")

    def look() -> repository.Taken:
        with visit.runtime.db.read() as session:
            return repository.taken(session, f"{name}@{version}" if version else name, project_id=project_id)

    found = await to_thread.run_sync(look)
    told = {"object": "prompt.version", "version": found.number, "file": files.to_dict(found.file)}
    return await visit.respond(200, told)


async def push(visit: Visit) -> int:
    """Keep files, all or nothing; with `check` say what would happen, and nothing does."""
    body = await _body(visit, _PUSHED)
    given = body.get("files")
    if not isinstance(given, list) or not given:
        raise Invalid("“files” is a list of prompts' files.", param="files", hint="Send at least one.")
    read = [_file(number, one) for number, one in enumerate(given, 1)]
    is_check = body.get("check", False)
    if not isinstance(is_check, bool):
        raise Invalid("“check” is true or false.", code="invalid_type", param="check")
    told: Json = {name: _text(body, name) for name in ("label", "note")}
    told["branch"] = _text(body, "branch") or MAIN
    assert visit.key is not None
    project_id, by, runtime = visit.key.project_id, visit.principal, visit.runtime

    def keep() -> list[repository.Kept]:
        with runtime.db.write() as session:
            found = repository.kept(
                session, read, project_id=project_id, by=by, at=clock.now(), ids=runtime.ids, **told
            )
            if is_check:
                session.rollback()
            return found

    found = await to_thread.run_sync(keep)
    return await visit.respond(200, {"object": "list", "data": [asdict(one) for one in found]})


async def move(visit: Visit) -> int:
    """Let a label name a version: a number, or what another label names."""
    body = await _body(visit, _MOVED)
    name = visit.scope["path"].removeprefix("/v1/prompts/").removesuffix("/labels")
    label, version, note = (_text(body, one) for one in _MOVED)
    assert visit.key is not None
    project_id, by, runtime = visit.key.project_id, visit.principal, visit.runtime

    def act() -> Json:
        with runtime.db.write() as session:
            found = repository.moved(
                session, f"{name}@{version}" if version else name, label, note=note,
                project_id=project_id, by=by, at=clock.now(), ids=runtime.ids,
            )  # fmt: skip
        return asdict(found)

    return await visit.respond(200, await to_thread.run_sync(act))


def _query(visit: Visit) -> dict[str, str]:
    return dict(parse_qsl(visit.scope["query_string"].decode("latin-1")))


async def _body(visit: Visit, known: tuple[str, ...]) -> Json:
    limit = visit.runtime.settings.max_body_mb * MEGABYTE
    body = await json_object(await read_body(visit.sent, visit.receive, limit=limit, hint=RAISE))
    for name in body:
        if name not in known:
            raise Invalid(f"There is no field “{name[:80]}” here.", param=name[:80], hint=f"Send {', '.join(known)}.")
    return body


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str):
        raise Invalid(f"“{name}” is a text.", code="invalid_type", param=name)
    return value


def _file(number: int, given: Any) -> PromptFile:
    try:
        return files.of_dict(given)
    except Invalid as error:
        raise Invalid(f"File {number}: {error.message}", hint=error.hint, code=error.code, param="files") from None


def _shown(row: PromptView) -> Json:
    return {
        "object": "prompt",
        "name": row.name,
        "description": row.description,
        "tags": list(row.tags),
        "newest": row.newest,
        "latest": row.latest,
        "labels": dict(row.labels),
        "changed_at": int(row.changed_at.timestamp()),
    }

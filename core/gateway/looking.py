"""The routes that only look: models, liveness, readiness, metrics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from anyio import to_thread

from core import clock
from core.catalog.rules import Snapshot, resolve
from core.db import marks, process
from core.errors import NotFound
from core.gateway import metrics as counted
from core.gateway.exchange import respond
from core.gateway.visit import Visit
from core.prompts import serving
from core.runtime import Runtime
from core.schema import migrate

LEAST_ROOM = 16_000_000  # bytes; less is gone before anybody has read the alarm


def listed(snapshot: Snapshot, prompts: Sequence[str] = ()) -> list[dict[str, Any]]:
    """What may be asked for: prompts and aliases first, then every model in use as `backend/model`."""
    own = [f"{serving.PREFIX}{name}" for name in prompts] + sorted(snapshot.aliases)
    rows = [{"id": name, "object": "model", "created": 0, "owned_by": "greenroom"} for name in own]
    for model in sorted(snapshot.models, key=lambda m: (m.backend, m.name)):
        if snapshot.is_usable(model.backend, model.name):
            path = f"{model.backend}/{model.name}"
            rows.append({"id": path, "object": "model", "created": 0, "owned_by": model.backend})
    return rows


async def models(visit: Visit) -> int:
    assert visit.key is not None
    runtime = visit.runtime
    data = listed(runtime.catalog, runtime.prompts.names(visit.key.project_id))
    return await visit.respond(200, {"object": "list", "data": data})


async def model(visit: Visit) -> int:
    """One model by its name, which may hold slashes."""
    name = visit.scope["path"].removeprefix("/v1/models/")
    if (wanted := serving.asked(name)) is not None:
        assert visit.key is not None
        visit.runtime.prompts.entry(visit.key.project_id, wanted.name).number(wanted)
        owner = "greenroom"
    else:
        resolved = resolve(visit.runtime.catalog, name)
        owner = "greenroom" if resolved.alias else resolved.steps[0].backend.name
    return await visit.respond(200, {"id": name, "object": "model", "created": 0, "owned_by": owner})


async def healthz(visit: Visit) -> int:
    """The process runs and its loop turns."""
    return await visit.respond(200, {"status": "ok"})


async def readyz(visit: Visit) -> int:
    """Whether a request could be answered and recorded now, and why not."""
    reasons = await to_thread.run_sync(_reasons, visit.runtime)
    return await visit.respond(
        503 if reasons else 200, {"status": "not ready" if reasons else "ok", "reasons": reasons}
    )


def _reasons(runtime: Runtime) -> list[str]:
    reasons = []
    try:
        with runtime.db.read() as session:
            marks.read(session)
        if migrate.revision(runtime.db) != migrate.newest():
            reasons.append("the database is not at this version's shape: run `greenroom migrate`")
    except Exception:
        reasons.append("the database does not answer")
    if runtime.recorder.is_failing and not _takes_writes(runtime):
        reasons.append("calls cannot be recorded: see `greenroom doctor`")
    if runtime.db.room() < LEAST_ROOM:
        reasons.append("the disk is full: free some space")
    if not any(backend.is_enabled for backend in runtime.catalog.backends.values()):
        reasons.append("no backend is switched on")
    return reasons


def _takes_writes(runtime: Runtime) -> bool:
    """Whether what failed the last call is over: who waits for readiness sends no call that could tell."""
    try:
        with runtime.db.write() as session:
            process.touch(session)
    except Exception:
        return False
    return True


async def metrics_page(visit: Visit) -> int:
    now_s = clock.ticks_ms() / 1000
    states = visit.runtime.serve.breakers.states().values()
    counted.COUNTED.process = str(visit.runtime.ids.process)
    counted.COUNTED.breakers_open = sum(1 for state in states if state.opens_until > now_s)
    headers = [("content-type", counted.CONTENT_TYPE), *visit.headers()]
    await respond(visit.send, 200, headers, counted.rendered())
    return 200


__all__ = ["NotFound", "healthz", "listed", "metrics_page", "model", "models", "readyz"]

"""Which project a command is about."""

from __future__ import annotations

from sqlmodel import Session

from core.errors import Invalid, NotFound
from core.people import actions, queries


def project(session: Session, name: str | None) -> queries.ProjectView:
    """The project of this name; without one, "default" or the only one. Raises: NotFound, Invalid."""
    if name:
        return queries.project_by_name(session, name)
    found = queries.projects(session)
    if not found:
        raise NotFound("There is no project yet.", hint="Start Greenroom once, or make a key: `greenroom key create`.")
    default = next((one for one in found if one.name == actions.DEFAULT_PROJECT), None)
    if default is None and len(found) != 1:
        names = ", ".join(one.name for one in found)
        raise Invalid("There are several projects.", param="project", hint=f"Add --project with one of: {names}.")
    return default or found[0]

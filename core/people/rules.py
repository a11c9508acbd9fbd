"""Who may do what: roles give permissions, per project or in all; what nobody granted is denied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from core.errors import NotAllowed


class Role(StrEnum):
    VIEWER = "viewer"
    REVIEWER = "reviewer"
    LEAD_REVIEWER = "lead reviewer"
    PRODUCT_MANAGER = "product manager"
    ENGINEER = "engineer"
    ADMIN = "admin"
    AUDITOR = "auditor"


class Permission(StrEnum):
    PLAYGROUND_USE = "playground:use"
    CALLS_READ = "calls:read"
    CALLS_EXPORT = "calls:export"
    USAGE_READ = "usage:read"
    BACKEND_READ = "backend:read"
    BACKEND_CHANGE = "backend:change"
    BACKEND_VARIABLE = "backend:variable"
    ALIAS_CHANGE = "alias:change"
    PRICE_CHANGE = "price:change"
    KEY_READ = "key:read"
    KEY_CHANGE = "key:change"
    PEOPLE_READ = "people:read"
    PEOPLE_CHANGE = "people:change"
    PROJECT_CHANGE = "project:change"
    AUDIT_READ = "audit:read"
    FEEDBACK_GIVE = "feedback:give"
    REVIEW_DECIDE = "review:decide"
    REVIEW_SEND = "review:send"
    REVIEW_LEAD = "review:lead"
    REVIEW_CHANGE = "review:change"
    DATASET_READ = "dataset:read"
    DATASET_CHANGE = "dataset:change"
    EXPERIMENT_READ = "experiment:read"
    EXPERIMENT_RUN = "experiment:run"
    PROMPT_READ = "prompt:read"
    PROMPT_CHANGE = "prompt:change"
    PROMPT_RELEASE = "prompt:release"
    COMPARE_READ = "compare:read"
    COMPARE_VOTE = "compare:vote"
    COMPARE_CHANGE = "compare:change"
    TRIAL_READ = "trial:read"
    TRIAL_CHANGE = "trial:change"
    WEBHOOK_CHANGE = "webhook:change"
    GATEWAY_CALL = "gateway:call"


_P = Permission
_READS = frozenset({_P.USAGE_READ, _P.BACKEND_READ})
_TRIES = frozenset(
    {
        _P.PLAYGROUND_USE,
        _P.CALLS_READ,
        _P.FEEDBACK_GIVE,
        _P.DATASET_READ,
        _P.DATASET_CHANGE,
        _P.PROMPT_READ,
        _P.PROMPT_CHANGE,
        _P.TRIAL_READ,
        _P.EXPERIMENT_READ,
        _P.COMPARE_READ,
        _P.COMPARE_VOTE,
    }
)

GRANTS: Mapping[Role, frozenset[Permission]] = {
    Role.VIEWER: _READS,
    Role.REVIEWER: _READS | _TRIES | {_P.REVIEW_DECIDE, _P.REVIEW_SEND},
    Role.LEAD_REVIEWER: _READS
    | _TRIES
    | {
        _P.CALLS_EXPORT,
        _P.REVIEW_DECIDE,
        _P.REVIEW_SEND,
        _P.REVIEW_LEAD,
        _P.REVIEW_CHANGE,
        _P.EXPERIMENT_RUN,
        _P.COMPARE_CHANGE,
    },
    Role.PRODUCT_MANAGER: _READS
    | _TRIES
    | {
        _P.CALLS_EXPORT,
        _P.ALIAS_CHANGE,
        _P.PRICE_CHANGE,
        _P.REVIEW_SEND,
        _P.REVIEW_LEAD,
        _P.REVIEW_CHANGE,
        _P.PROMPT_RELEASE,
        _P.TRIAL_CHANGE,
        _P.EXPERIMENT_RUN,
        _P.COMPARE_CHANGE,
    },
    Role.ENGINEER: _READS
    | _TRIES
    | {
        _P.CALLS_EXPORT,
        _P.BACKEND_CHANGE,
        _P.ALIAS_CHANGE,
        _P.PRICE_CHANGE,
        _P.KEY_READ,
        _P.KEY_CHANGE,
        _P.REVIEW_SEND,
        _P.WEBHOOK_CHANGE,
        _P.PROMPT_RELEASE,
        _P.TRIAL_CHANGE,
        _P.EXPERIMENT_RUN,
        _P.COMPARE_CHANGE,
    },
    Role.ADMIN: frozenset(Permission) - {_P.GATEWAY_CALL},
    Role.AUDITOR: _READS
    | {
        _P.CALLS_READ,
        _P.CALLS_EXPORT,
        _P.AUDIT_READ,
        _P.PEOPLE_READ,
        _P.KEY_READ,
        _P.DATASET_READ,
        _P.PROMPT_READ,
        _P.TRIAL_READ,
        _P.EXPERIMENT_READ,
        _P.COMPARE_READ,
    },
}


class KeyScope(StrEnum):
    """What a key is for: an application that asks models, or a repository that keeps the project's prompts as files."""

    APPLICATION = "application"
    REPOSITORY = "repository"


KEY_PERMISSIONS: Mapping[KeyScope, frozenset[Permission]] = {
    KeyScope.APPLICATION: frozenset({_P.GATEWAY_CALL, _P.FEEDBACK_GIVE}),
    KeyScope.REPOSITORY: frozenset({_P.PROMPT_READ, _P.PROMPT_CHANGE, _P.PROMPT_RELEASE}),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever acts: a person, a key, the command line, the system itself.

    `grants` maps a project's id (None: every project) to roles; a key has no roles but `key_project` and a scope.
    """

    actor: str
    name: str
    grants: Mapping[int | None, frozenset[Role]] = field(default_factory=dict)
    person_id: int | None = None
    key_id: int | None = None
    key_project: int | None = None
    key_scope: KeyScope = KeyScope.APPLICATION

    def may(self, permission: Permission, project_id: int | None = None) -> bool:
        """Whether this is allowed in the project (None: in every project)."""
        if self.key_id is not None:
            return project_id == self.key_project and permission in KEY_PERMISSIONS[self.key_scope]
        roles = self.grants.get(None, frozenset())
        if project_id is not None:
            roles = roles | self.grants.get(project_id, frozenset())
        return any(permission in GRANTS[role] for role in roles)

    def may_somewhere(self, permission: Permission) -> bool:
        """Whether this is allowed in at least one project."""
        return any(permission in GRANTS[role] for roles in self.grants.values() for role in roles)


_FOR = {KeyScope.APPLICATION: "an application", KeyScope.REPOSITORY: "a repository of prompts"}
_EVERYWHERE: Mapping[int | None, frozenset[Role]] = {None: frozenset({Role.ADMIN})}
LOCAL = Principal("local", "You (this computer)", _EVERYWHERE)
CLI = Principal("cli", "Command line", _EVERYWHERE)
SYSTEM = Principal("system", "Greenroom", _EVERYWHERE)


def require(by: Principal, permission: Permission, project_id: int | None = None) -> None:
    """Raises: NotAllowed unless `by` may do this in the project."""
    if not by.may(permission, project_id):
        raise NotAllowed(
            f"{by.name} may not do this here ({permission}).",
            hint="Ask an admin of this project for a role that may."
            if by.key_id is None
            else f"This key is for {_FOR[by.key_scope]}; another is made under People and keys.",
        )

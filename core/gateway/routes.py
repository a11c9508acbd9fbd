"""The gateway's routes: path, method, and what one must be allowed to do. A route without a row here does not exist."""

from __future__ import annotations

from dataclasses import dataclass

from core.people.rules import Permission


@dataclass(frozen=True, slots=True)
class Route:
    """One route. `permission` None: open to anyone who reaches the port; `name` is the handler's."""

    method: str
    path: str
    name: str
    permission: Permission | None


ROUTES = (
    Route("POST", "/v1/chat/completions", "answer", Permission.GATEWAY_CALL),
    Route("POST", "/v1/embeddings", "answer", Permission.GATEWAY_CALL),
    Route("POST", "/v1/moderations", "answer", Permission.GATEWAY_CALL),
    Route("POST", "/v1/responses", "create_response", Permission.GATEWAY_CALL),
    Route("GET", "/v1/responses/{id}", "response", Permission.GATEWAY_CALL),
    Route("POST", "/v1/responses/{id}/cancel", "cancel_response", Permission.GATEWAY_CALL),
    Route("GET", "/v1/models", "models", Permission.GATEWAY_CALL),
    Route("GET", "/v1/models/{model}", "model", Permission.GATEWAY_CALL),
    Route("GET", "/v1/prompts", "prompts", Permission.PROMPT_READ),
    Route("POST", "/v1/prompts", "push_prompts", Permission.PROMPT_CHANGE),
    Route("GET", "/v1/prompts/{name}", "prompt", Permission.PROMPT_READ),
    Route("POST", "/v1/prompts/{name}/labels", "move_label", Permission.PROMPT_RELEASE),
    Route("POST", "/v1/feedback", "feedback", Permission.FEEDBACK_GIVE),
    Route("GET", "/healthz", "healthz", None),
    Route("GET", "/readyz", "readyz", None),
    Route("GET", "/metrics", "metrics", Permission.GATEWAY_CALL),
)

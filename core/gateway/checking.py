"""What a request must be before a backend is asked; everything else passes through as it is."""

from __future__ import annotations

from typing import Any

from core.errors import Invalid
from core.prompts import serving
from core.serve.asked import CHAT

Json = dict[str, Any]


def check(route: str, body: Json) -> None:
    """Raises: Invalid naming the field, as OpenAI does. Unknown fields are not looked at."""
    model = body.get("model")
    if not isinstance(model, str) or not model:
        raise Invalid("You must provide a model.", code="missing_required_parameter", param="model")
    if route == CHAT:
        _check_chat(body)
    elif not isinstance(body.get("input"), str | list) or not body["input"]:
        raise Invalid("You must provide an input.", code="missing_required_parameter", param="input")


def _check_chat(body: Json) -> None:
    messages = body.get("messages")
    if not messages and serving.asked(body.get("model")) is not None:
        body["messages"] = messages = []  # the prompt may be the whole question
    elif not isinstance(messages, list) or not messages:
        raise Invalid(
            "You must provide messages: a list with at least one message.",
            code="missing_required_parameter",
            param="messages",
        )
    for number, message in enumerate(messages):
        if not isinstance(message, dict) or not isinstance(message.get("role"), str):
            raise Invalid(
                f"Message {number} is not an object with a role.", code="invalid_type", param=f"messages[{number}]"
            )
    stream = body.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise Invalid("stream must be true or false.", code="invalid_type", param="stream")
    options = body.get("stream_options")
    if options is not None and not isinstance(options, dict):
        raise Invalid("stream_options must be an object.", code="invalid_type", param="stream_options")
    if options and not stream:
        raise Invalid(
            "The 'stream_options' parameter is only allowed when 'stream' is enabled.",
            code="invalid_parameter",
            param="stream_options",
        )

"""A request as something to paste: curl for a shell, Python for the official `openai` client.

Both are complete and run as they are; what the body contains cannot break out of its quotes.
"""

from __future__ import annotations

import json
import pprint
import shlex
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import streamlit as st

from core import settings

KEY_VARIABLE = "GREENROOM_API_KEY"
EXAMPLE_MODEL = "builtin/tiny"
_LONGEST_ARGUMENT = 100_000
"""Bytes: Linux takes 128 KB in one argument of a command; a picture is longer."""
_METHODS = {
    "/v1/chat/completions": "chat.completions.create",
    "/v1/embeddings": "embeddings.create",
    "/v1/moderations": "moderations.create",
}
# what the client takes by name; anything else travels in `extra_body`
_NAMED = frozenset({
    "messages", "model", "audio", "frequency_penalty", "function_call", "functions", "logit_bias",
    "logprobs", "max_completion_tokens", "max_tokens", "metadata", "modalities", "n",
    "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key", "reasoning_effort",
    "response_format", "safety_identifier", "seed", "service_tier", "stop", "store", "stream",
    "stream_options", "temperature", "tool_choice", "tools", "top_logprobs", "top_p", "user",
    "verbosity", "web_search_options", "input", "dimensions", "encoding_format",
})  # fmt: skip

_SAID = {
    "thumb": "down",
    "reason": "wrong facts",
    "comment": "Returns are free for thirty days.",
    "correction": "You may return it within thirty days, free of charge.",
    "user": "reader-17",
}


def example(model: str = EXAMPLE_MODEL) -> dict[str, Any]:
    """A first request that any backend answers."""
    return {"model": model, "messages": [{"role": "user", "content": "Hello, who are you?"}]}


def base_url() -> str:
    """Where an application reaches the gateway: the address told in the settings, else the one this page came from."""
    public = settings.load().public_url
    if public:
        return public.rstrip("/") + "/v1"
    here = urlsplit(st.context.url or "")
    if here.scheme and here.netloc:
        return f"{here.scheme}://{here.netloc}/v1"
    return "http://127.0.0.1:8501/v1"


def curl(body: Mapping[str, Any], *, address: str, key: str = "", route: str = "/v1/chat/completions") -> str:
    """A shell command; without a key it reads `$GREENROOM_API_KEY`."""
    authorization = shlex.quote(f"Authorization: Bearer {key}") if key else f'"Authorization: Bearer ${KEY_VARIABLE}"'
    buffered = " -N" if body.get("stream") else ""
    text = _json(body)
    # a line of JSON is never a word alone, so nothing in the body can end it
    data = shlex.quote(text) if len(text.encode()) < _LONGEST_ARGUMENT else f"@- <<'JSON'\n{text}\nJSON"
    return (
        f"curl{buffered} {shlex.quote(_endpoint(address, route))} \\\n"
        f"  -H {authorization} \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d {data}"
    )


def python(body: Mapping[str, Any], *, address: str, key: str = "", route: str = "/v1/chat/completions") -> str:
    """A Python program for `pip install openai`; without a key it reads `GREENROOM_API_KEY`."""
    method = _METHODS.get(route, _METHODS["/v1/chat/completions"])
    named = {name: value for name, value in body.items() if name in _NAMED}
    extra = {name: value for name, value in body.items() if name not in _NAMED}
    arguments = [_argument(name, value) for name, value in named.items()]
    if extra:
        arguments.append(_argument("extra_body", extra))
    lines = ["from openai import OpenAI", ""]
    if not key:
        lines.insert(0, "import os\n")
    secret = repr(key) if key else f'os.environ["{KEY_VARIABLE}"]'
    lines.append(f"client = OpenAI(base_url={_text(address)}, api_key={secret})")
    printed = _printed(route, is_stream=bool(body.get("stream")), may_call=bool(body.get("tools")))
    lines += [f"answer = client.{method}(", *arguments, ")", *printed]
    return "\n".join(lines)


def feedback_curl(call: str, *, address: str) -> str:
    """A shell command that says what a reader thought of a call."""
    return curl({"id": call, **_SAID}, address=address, route="/v1/feedback")


def feedback_python(*, address: str) -> str:
    """A Python program that asks, and then says what a reader thought of the answer."""
    said = [f"    {_text(name)}: {_text(value)}," for name, value in _SAID.items()]
    asked = python(example(), address=address)
    return "\n".join([asked, 'client.post("/feedback", cast_to=object, body={', '    "id": answer.id,', *said, "})"])


def _endpoint(address: str, route: str) -> str:
    return address.rstrip("/") + route.removeprefix("/v1")


def _json(body: Mapping[str, Any]) -> str:
    """JSON with its letters readable; escaped where a shell's arguments could not carry them."""
    text = json.dumps(body, indent=2, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(body, indent=2)
    return text


def _argument(name: str, value: Any) -> str:
    shown = _text(value) if isinstance(value, str) else pprint.pformat(value, sort_dicts=False, width=100)
    return f"    {name}={shown.replace(chr(10), chr(10) + '    ' + ' ' * (len(name) + 1))},"


def _text(value: str) -> str:
    """A Python string literal in double quotes where that is as short."""
    return json.dumps(value, ensure_ascii=False) if value.isprintable() and "\\" not in value else repr(value)


def _printed(route: str, *, is_stream: bool, may_call: bool) -> list[str]:
    """How the program shows the answer; `may_call`: it may be a tool's call instead of words."""
    if route != "/v1/chat/completions":
        return ["print(answer)"]
    calls = " or said.tool_calls" if may_call else ""
    if is_stream:
        return [
            "for chunk in answer:",
            "    if chunk.choices:",
            "        said = chunk.choices[0].delta",
            f'        print(said.content{calls} or "", end="", flush=True)',
        ]
    return ["said = answer.choices[0].message", f"print(said.content{calls})"]

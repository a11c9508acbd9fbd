"""Snippets run as pasted, whatever the request contains."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pages.parts import snippets

ADDRESS = "http://127.0.0.1:9/v1"
BODIES: list[dict[str, Any]] = [
    snippets.example(),
    {"model": "m", "messages": [{"role": "user", "content": "it's \"quoted\" `x` $(touch hacked) \\ \n 'end"}]},
    {"model": "m'; rm -rf /", "messages": [], "stream": True, "temperature": 0.5, "greenroom_unknown": {"a": None}},
    {"model": "m", "messages": [{"role": "user", "content": "naïve ☃ \u2028 😀 \ud800"}], "stop": ["\n", "'"]},
]


@pytest.mark.parametrize("body", BODIES)
def test_curl_carries_exactly_the_body(body: dict[str, Any], tmp_path: Path) -> None:
    command = snippets.curl(body, address=ADDRESS, key="gr_it's")
    spy = f'curl() {{ "{sys.executable}" -c "import json,sys; print(json.dumps(sys.argv[1:]))" "$@"; }}\n'
    out = subprocess.run(["bash", "-c", spy + command], cwd=tmp_path, capture_output=True, text=True, check=True)
    arguments = json.loads(out.stdout)
    assert json.loads(arguments[-1]) == body
    assert f"{ADDRESS}/chat/completions" in arguments
    assert "Authorization: Bearer gr_it's" in arguments
    assert list(tmp_path.iterdir()) == []


def test_curl_carries_a_picture_longer_than_an_argument_may_be(tmp_path: Path) -> None:
    url = "data:image/png;base64," + "QUJD" * 100_000
    part = {"type": "image_url", "image_url": {"url": url}}
    body = {"model": "m", "messages": [{"role": "user", "content": ["JSON\nit's", part]}]}
    command = snippets.curl(body, address=ADDRESS, key="k")
    spy = f'curl() {{ "{sys.executable}" -c "import sys; sys.stdout.write(sys.argv[-1] + sys.stdin.read())" "$@"; }}\n'
    (tmp_path / "pasted.sh").write_text(spy + command)
    out = subprocess.run(["bash", "pasted.sh"], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
    assert out.startswith("@-")
    assert json.loads(out[2:]) == body


@pytest.mark.parametrize("body", BODIES)
def test_python_carries_exactly_the_body(body: dict[str, Any]) -> None:
    seen: dict[str, Any] = {}

    class Client:
        def __init__(self, **options: Any) -> None:
            seen["options"] = options
            self.chat = self.completions = self

        def create(self, **arguments: Any) -> Any:
            seen["body"] = {**arguments.pop("extra_body", {}), **arguments}
            raise InterruptedError

    program = snippets.python(body, address=ADDRESS, key="gr_it's").replace("from openai import OpenAI", "")
    with pytest.raises(InterruptedError):
        exec(program, {"OpenAI": Client})
    assert seen["body"] == body
    assert seen["options"] == {"base_url": ADDRESS, "api_key": "gr_it's"}


def test_without_a_key_both_read_it_from_the_environment() -> None:
    assert "$GREENROOM_API_KEY" in snippets.curl(snippets.example(), address=ADDRESS)
    assert 'os.environ["GREENROOM_API_KEY"]' in snippets.python(snippets.example(), address=ADDRESS)

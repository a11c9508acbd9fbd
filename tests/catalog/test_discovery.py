"""A server's models are read whatever shape the list has; anything else is a sentence that says what to mend."""

from __future__ import annotations

from collections.abc import AsyncIterator

import anyio
import pytest

from core import clock
from core.catalog import discovery
from core.catalog.discovered import Discovered, parse
from core.catalog.rules import BackendView
from core.errors import BackendUnavailable, Upstream, UpstreamBroken, UpstreamRejected
from core.wire.client import Client
from tests.catalog.servers import canned

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    made = Client()
    yield made
    await made.aclose()


def backend(base_url: str, *, key: str | None = None, connect_s: float = 1.0) -> BackendView:
    return BackendView(1, "b", "openai", base_url, key=key, connect_s=connect_s, first_token_s=1.0, total_s=2.0)


@pytest.mark.parametrize(
    ("body", "models"),
    [
        (b'{"object":"list","data":[{"id":"b"},{"id":"a","owned_by":"me"}]}', ["a", "b"]),
        (b'{"object":"list","data":null}', []),
        (b'{"models":[{"name":"llama3:8b","model":"llama3:8b"}]}', ["llama3:8b"]),
        (b'{"models":[{"name":"x"}],"object":"list","data":[{"id":"x","meta":{"n_ctx_train":4096}}]}', ["x"]),
        (b'[{"id":"bare","type":"chat"}]', ["bare"]),
        (b'{"data":["just-a-name"]}', ["just-a-name"]),
        (b'{"data":[{"id":"ok"},{"id":7},null,{"id":"two words"},{"id":"ok"}]}', ["ok"]),
    ],
)
async def test_every_shape_of_list_is_read(client: Client, body: bytes, models: list[str]) -> None:
    async with canned(body) as server:
        assert [model.name for model in await discovery.discover(client, backend(server.base_url))] == models


@pytest.mark.parametrize(
    ("status", "content_type", "body", "says"),
    [
        (200, "text/html", b"<!doctype html><h1>It works</h1>", "A web page answers at"),
        (200, "text/plain", b"hello", "is not a list of models"),
        (200, "application/json", b'{"status":"ok"}', "is not a list of models"),
        (200, "application/json", b'{"data":[{"id":', "is not a list of models"),
        (200, "application/json", b'{"data":[{"title":"a blog post"}]}', "is not a list of models"),
        (
            401,
            "application/json",
            b'{"error":{"message":"Incorrect API key"}}',
            "refuses the key (401). It says: Incorrect API key",
        ),
        (404, "application/json", b'{"detail":"Not Found"}', "no list of models at http://127.0.0.1"),
        (422, "application/json", b'{"detail":[{"msg":"field required"}]}', "status 422. It says: field required"),
        (429, "application/json", b"{}", "asks to wait"),
        (500, "text/plain", b"Internal Server Error", "status 500"),
    ],
)
async def test_anything_else_is_a_sentence(
    client: Client, status: int, content_type: str, body: bytes, says: str
) -> None:
    async with canned(body, status=status, content_type=content_type) as server:
        with pytest.raises((UpstreamBroken, UpstreamRejected)) as caught:
            await discovery.discover(client, backend(server.base_url, key="sk-very-secret"))
    assert says in caught.value.message
    assert caught.value.hint
    assert "sk-very-secret" not in str(caught.value)


async def test_a_redirect_is_named_and_not_followed_with_the_key(client: Client) -> None:
    async with canned(b"{}") as other:
        async with canned(b"", status=308, more=f"location: {other.base_url}/models\r\n") as server:
            with pytest.raises(UpstreamRejected, match="sends us on to"):
                await discovery.discover(client, backend(server.base_url, key="sk-very-secret"))
        assert other.asked == []


async def test_nothing_listening_is_a_sentence(client: Client) -> None:
    async with canned(b"") as server:
        gone = server.base_url
    with pytest.raises(BackendUnavailable):
        await discovery.discover(client, backend(gone))


async def test_the_key_goes_along_as_a_bearer(client: Client) -> None:
    async with canned(b'{"data":[{"id":"a"}]}') as server:
        tested = await discovery.test(client, backend(server.base_url, key="sk-1"))
    assert "authorization: bearer sk-1" in server.asked[0].lower()
    assert [model.name for model in tested.models] == ["a"]
    assert tested.token_ms is None


async def test_a_test_with_a_model_asks_for_one_token(client: Client) -> None:
    async with canned(b'{"data":[{"id":"a"}],"choices":[]}') as server:
        tested = await discovery.test(client, backend(server.base_url), model="a")
    assert '"max_tokens":1' in server.asked[1]
    assert tested.token_ms is not None


async def test_a_key_that_cannot_be_read_is_said_before_anything_is_asked(client: Client) -> None:
    async with canned(b'{"data":[{"id":"a"}]}') as server:
        view = BackendView(1, "b", "openai", server.base_url, key_trouble="The environment variable X_KEY is not set.")
        with pytest.raises(UpstreamRejected, match="X_KEY is not set"):
            await discovery.discover(client, view)
    assert server.asked == []


async def test_only_inference_servers_are_found_on_the_usual_ports(client: Client) -> None:
    async with (
        canned(b'{"object":"list","data":[{"id":"llama3:8b","owned_by":"library"}]}') as ollama,
        canned(b'{"object":"list","data":[{"id":"m"}]}') as unknown,
        canned(b"<html>my web site</html>", content_type="text/html") as web,
        canned(b'{"object":"list","data":[]}') as empty,
    ):
        found = await discovery.probe_local(client, [server.port for server in (ollama, unknown, web, empty)])
    assert [(server.name, server.base_url) for server in found] == [
        ("ollama", ollama.base_url),
        (f"local-{unknown.port}", unknown.base_url),
    ]


async def test_a_silent_port_does_not_hold_up_the_search(client: Client) -> None:
    started = clock.ticks_ms()
    async with canned(b"{}", is_silent=True) as silent:
        with anyio.fail_after(3):
            assert await discovery.probe_local(client, [silent.port]) == []
    assert clock.ticks_ms() - started < 2_500


def test_windows_and_abilities_are_read_under_their_many_names() -> None:
    rows = (
        b'{"data":[{"id":"a","max_model_len":8192},{"id":"b","context_length":131072,'
        b'"architecture":{"input_modalities":["text","image","audio"]}},'
        b'{"id":"nomic-embed-text"},{"id":"pixtral-12b","capabilities":{"vision":true}},'
        b'{"id":"gpt-4o-plain","capabilities":["completion"]},{"id":"omni-moderation-latest"}]}'
    )
    found = {model.name: model for model in parse(200, {}, rows, url="u")}
    assert found["a"].context_window == 8192
    assert found["b"] == Discovered("b", "chat", True, True, 131072)
    assert found["nomic-embed-text"].kind == "embedding"
    assert found["pixtral-12b"].takes_image
    assert not found["gpt-4o-plain"].takes_image
    assert found["omni-moderation-latest"].kind == "moderation"


def test_a_hostile_list_is_cut_and_never_crashes() -> None:
    body = b'{"data":[' + b",".join(b'{"id":"m%d"}' % number for number in range(9_000)) + b"]}"
    assert len(parse(200, {}, body, url="u")) == 5_000
    for junk in (b"", b"null", b"[]", b"7", b'"x"', b"\xff\xfe", b"[[[[[[", b'{"data":{}}', b'{"data":7}'):
        try:
            parse(200, {}, junk, url="u")
        except Upstream as error:
            assert error.hint  # noqa: PT017


@pytest.mark.parametrize("status", [200, 400, 401, 307])
async def test_a_server_that_repeats_its_key_does_not_get_it_told(client: Client, status: int) -> None:
    key = "sk-never-to-be-seen-0123456789"
    said = f'{{"error": {{"message": "The key {key} is wrong"}}}}'.encode()
    async with canned(said, status=status, more=f"location: https://elsewhere.example/?key={key}\r\n") as server:
        with pytest.raises(Upstream) as told:
            await discovery.discover(client, backend(server.base_url, key=key))
    assert key not in repr(told.value)
    assert key not in str(told.value)


async def test_what_a_server_says_holds_no_sign_that_steers_a_terminal(client: Client) -> None:
    said = b'{"error": {"message": "a\\u001b[31m\\u0000red\\r\\nline\\u202e"}}'
    async with canned(said, status=500) as server:
        with pytest.raises(Upstream) as told:
            await discovery.discover(client, backend(server.base_url))
    assert told.value.message.isprintable()
    assert "a [31m red line" in told.value.message

"""Nothing is asked at an address that is forbidden, whatever name led there."""

from __future__ import annotations

import pytest

from core.errors import BackendUnavailable
from core.wire.client import Client
from core.wire.places import is_metadata
from tests.support.upstream import Double

pytestmark = pytest.mark.anyio


async def test_a_name_that_leads_to_a_forbidden_address_is_sent_nothing(double: Double) -> None:
    client = Client(is_forbidden=lambda ip: ip == "127.0.0.1")
    for _ in range(2):
        with pytest.raises(BackendUnavailable, match="where nothing may be sent") as told:
            await client.send("GET", f"http://localhost:{double.port}/v1/models", headers=[("authorization", "secret")])
        assert told.value.code == "forbidden_address"
    await client.aclose()
    assert double.stats.requests == 0
    assert not double.stats.seen


@pytest.mark.parametrize("host", ["169.254.169.254", "fe80::1%eth0", "::ffff:169.254.1.1", "64:ff9b::a9fe:a9fe"])
def test_where_clouds_keep_credentials_is_known_in_any_notation(host: str) -> None:
    assert is_metadata(host)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "::1", "10.0.0.7", "fd00::1", "8.8.8.8", "64:ff9b::808:808", "example.com"]
)
def test_other_addresses_may_be_asked(host: str) -> None:
    assert not is_metadata(host)

"""Over TLS the client asks only servers whose certificate it can trust, and reads and closes as without it."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from core.errors import BackendUnavailable, UpstreamBroken
from core.wire.client import Client, Timeouts
from tests.support import upstream
from tests.wire.conftest import LIMIT, Asking

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 that signs itself, with its key, in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "double")])
    start = datetime(2026, 1, 1, tzinfo=UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=36500))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), True)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "double.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return file


@pytest.fixture
async def secure(certificate: Path) -> AsyncIterator[upstream.Double]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    async with upstream.running(tls=context) as double:
        yield double


@pytest.fixture
async def trusting(secure: upstream.Double, certificate: Path) -> AsyncIterator[Asking]:
    client = Client(trust=ssl.create_default_context(cafile=str(certificate)))
    yield Asking(client, secure)
    await client.aclose()


async def test_a_trusted_server_is_asked_again_on_the_same_connection(trusting: Asking) -> None:
    for number in range(5):
        assert f"echo: {number}".encode() in await trusting.read(str(number))
        assert b"[DONE]" in await trusting.read(str(number), stream=True)
    assert trusting.double.stats.connections == 1


async def test_large_bodies_pass_both_ways(trusting: Asking) -> None:
    text = "z" * 5_000_000
    assert text.encode() in await trusting.read(text)


async def test_a_server_that_nobody_vouches_for_is_refused(secure: upstream.Double) -> None:
    client = Client()
    with pytest.raises(BackendUnavailable) as refused:
        await Asking(client, secure).read()
    assert refused.value.code == "connect_failed"
    assert "certificate" in refused.value.message
    assert secure.stats.requests == 0
    await client.aclose()


async def test_a_caller_who_leaves_ends_the_secure_connection_too(trusting: Asking) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await trusting.read("leaver", kind="hang")
    async with asyncio.timeout(1):
        while not trusting.double.stats.cancelled:
            await asyncio.sleep(0.005)
    assert trusting.pool.idle_count == 0


async def test_a_secure_stream_cut_in_the_middle_is_broken(trusting: Asking) -> None:
    reply = await trusting.send("one two three", stream=True, kind="break", timeouts=Timeouts(between_s=1))
    with pytest.raises(UpstreamBroken) as broken:
        await reply.read(LIMIT)
    assert broken.value.code == "reset"


async def test_a_checked_address_does_not_replace_the_name_the_certificate_must_have(
    secure: upstream.Double, certificate: Path
) -> None:
    context = ssl.create_default_context(cafile=str(certificate))
    client = Client(trust=context, is_forbidden=lambda address: address not in ("127.0.0.1", "::1"))
    reply = await client.send("GET", f"https://127.0.0.1:{secure.port}/v1/models")
    assert reply.status == 200
    await reply.read(LIMIT)
    with pytest.raises(BackendUnavailable) as refused:  # it is for the number, not for the name
        await client.send("GET", f"https://localhost:{secure.port}/v1/models")
    assert refused.value.code == "connect_failed"
    await client.aclose()


async def test_an_address_that_is_not_allowed_is_never_connected_to(double: upstream.Double) -> None:
    client = Client(is_forbidden=lambda address: True)
    with pytest.raises(BackendUnavailable, match=r"localhost is at (127\.0\.0\.1|::1)") as refused:
        await client.send("GET", f"http://localhost:{double.port}/v1/models")
    assert refused.value.code == "forbidden_address"
    assert double.stats.connections == 0
    await client.aclose()

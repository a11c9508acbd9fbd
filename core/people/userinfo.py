"""The claims a provider keeps out of the ID token: one question to its userinfo endpoint.

OpenID Connect Core 1.0 §5.3. The answer counts only when its `sub` is the ID token's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from core.errors import Invalid, UpstreamBroken, UpstreamRejected
from core.wire.client import Client, Timeouts

LIMIT = 1024 * 1024
TIMEOUTS = Timeouts(connect_s=3, first_byte_s=5, between_s=5, total_s=8)


async def ask(client: Client, *, metadata_url: str, access_token: str, subject: str) -> dict[str, Any]:
    """What the provider says of this person now. Raises: Upstream, Invalid when it speaks of somebody else."""
    metadata = await _json(client, metadata_url)
    endpoint = metadata.get("userinfo_endpoint")
    if not isinstance(endpoint, str):
        return {}
    claims = await _json(client, endpoint, ("authorization", f"Bearer {access_token}"))
    if claims.get("sub") != subject:
        raise Invalid("The identity provider answered for somebody else.", hint="Sign out, and sign in again.")
    return claims


async def _json(client: Client, url: str, *headers: tuple[str, str]) -> dict[str, Any]:
    reply = await client.send("GET", url, headers=[("accept", "application/json"), *headers], timeouts=TIMEOUTS)
    try:
        body = await reply.read(LIMIT)
    finally:
        await reply.aclose()
    if reply.status != 200:
        raise UpstreamRejected(
            "The identity provider did not say which groups you are in.", upstream_status=reply.status
        )
    try:
        value = orjson.loads(body)
    except ValueError:
        value = None
    if not isinstance(value, Mapping):
        raise UpstreamBroken("The identity provider's answer about you cannot be read.", code="protocol")
    return dict(value)

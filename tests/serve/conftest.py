"""The same house as the gateway's tests stand in."""

from tests.gateway.conftest import anyio_backend, house, nothing_blocks

__all__ = ["anyio_backend", "house", "nothing_blocks"]

"""The same house as the gateway's tests stand in."""

from tests.gateway.conftest import anyio_backend, house

__all__ = ["anyio_backend", "house"]

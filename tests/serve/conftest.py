"""The same house as the gateway's tests stand in."""

from tests.gateway.conftest import anyio_backend, house, nothing_blocks
from tests.pages.conftest import here

__all__ = ["anyio_backend", "here", "house", "nothing_blocks"]

"""An OpenAI client of a house, and how a response of it ends."""

from __future__ import annotations

import asyncio
from typing import Any

from openai import AsyncOpenAI

from tests.support.house import House


def client_of(house: House) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=f"{house.url}/v1", api_key=house.key, max_retries=0)


async def ended(client: AsyncOpenAI, response_id: str) -> Any:
    """Ask as an application would until a response has ended."""
    for _ in range(300):
        found = await client.responses.retrieve(response_id)
        if found.status not in ("queued", "in_progress"):
            return found
        await asyncio.sleep(0.05)
    raise AssertionError(f"still {found.status}")

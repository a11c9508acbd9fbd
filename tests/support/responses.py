"""An OpenAI client of a house, how a response of it ends, and what the store says of those that wait."""

from __future__ import annotations

import asyncio
from typing import Any

from openai import AsyncOpenAI
from sqlmodel import select

from core.audit.tables import AuditEvent
from core.review.tables import HeldResponse
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


def held(house: House) -> list[HeldResponse]:
    with house.runtime.db.read() as session:
        return list(session.exec(select(HeldResponse)))


def cancelled(house: House) -> list[tuple[str, str, dict[str, Any] | None]]:
    """What the trail says of responses that were withdrawn: by whom, which, and why."""
    with house.runtime.db.read() as session:
        told = session.exec(select(AuditEvent).where(AuditEvent.action == "response.cancelled"))
        return [(event.actor, event.target, event.after) for event in told]

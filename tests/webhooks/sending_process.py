"""A sender in a process of its own, to be killed."""

from __future__ import annotations

import asyncio
import sys

from core.db.engine import Database
from core.vault import Vault
from core.webhooks.sender import Sender
from core.wire.client import Timeouts

PATIENT = Timeouts(connect_s=60, first_byte_s=600, between_s=600, total_s=600)


def main() -> None:
    """Send what waits in the store that is named, until killed."""

    async def run() -> None:
        vault = Vault("a-master-key-for-tests-only-0123456789")
        Sender(Database(sys.argv[1]), vault, timeouts=PATIENT).start()
        await asyncio.Event().wait()

    asyncio.run(run())

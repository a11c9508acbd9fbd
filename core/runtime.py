"""The one running Greenroom of this process: settings, vault, store, recorder, caches and `serve`, put together.

The server's lifespan starts it; a page under AppTest or a command that needs it starts it on first use.
"""

from __future__ import annotations

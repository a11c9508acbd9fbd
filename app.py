"""The launcher: the console's script, with the gateway and the doors in front of it, in one process."""

from contextlib import AbstractAsyncContextManager
from typing import Any

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import Route

from core import settings
from core.gateway.app import Gateway, console_lifespan
from core.gateway.doors import Doors, check_start
from core.gateway.downloads import download
from core.gateway.tickets import PATH
from pages.parts.boundary import on_script_error


def lifespan(launched: st.App) -> AbstractAsyncContextManager[dict[str, Any]]:
    """The runtime's life; it does not begin where strangers could reach a console without login."""
    check_start(settings.load(), host=st.get_option("server.address") or "0.0.0.0")  # noqa: S104
    return console_lifespan(launched)


app = st.App(
    "pages/shell.py",
    routes=[Route(PATH, download)],
    lifespan=lifespan,
    middleware=[
        Middleware(Gateway),
        Middleware(Doors, agent_api=lambda: bool(st.get_option("server.enableAgentApi"))),
    ],
    on_script_error=on_script_error,
)

"""The launcher: the console's script, with the gateway and the doors in front of it, in one process."""

import streamlit as st
from starlette.middleware import Middleware
from starlette.routing import Route

from core.gateway.app import Gateway, console_lifespan
from core.gateway.doors import Doors
from core.gateway.exports import PATH, download
from pages.parts.boundary import on_script_error

app = st.App(
    "pages/shell.py",
    routes=[Route(PATH, download)],
    lifespan=console_lifespan,
    middleware=[
        Middleware(Gateway),
        Middleware(Doors, agent_api=lambda: bool(st.get_option("server.enableAgentApi"))),
    ],
    on_script_error=on_script_error,
)

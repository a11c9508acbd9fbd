"""`greenroom serve` and `greenroom gateway`."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import click

from core import settings
from core.cli import opening
from core.db import trouble
from core.errors import Conflict, GreenroomError, Invalid

PORT = 8501
GATEWAY_PORT = 8600
COOKIE_VARIABLE = "STREAMLIT_SERVER_COOKIE_SECRET"


@click.command(context_settings={"ignore_unknown_options": False})
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=PORT, show_default=True, type=click.IntRange(1, 65535))
@click.option("--headless", is_flag=True, help="Open no browser.")
@click.argument("streamlit_flags", nargs=-1, metavar="[-- STREAMLIT FLAGS]")
def serve(host: str, port: int, headless: bool, streamlit_flags: tuple[str, ...]) -> None:
    """Start the console and the gateway on one address. Anything behind -- goes to Streamlit."""
    _check_door(host)
    _check_port(host, port)
    with trouble.told():
        secrets = _secrets_for_streamlit()
    shown = f"http://{_shown_host(host)}:{port}"
    click.echo(f"Greenroom is at {shown}")
    click.echo(f"Open it in a browser; applications use {shown}/v1. Ctrl+C stops it.")
    sys.stdout.flush()
    command = [
        *(sys.executable, "-m", "streamlit", "run", str(settings.ROOT / "app.py")),
        *("--server.address", host, "--server.port", str(port)),
        *("--server.headless", "true" if headless or not _has_display() else "false"),
        *("--server.showEmailPrompt", "false", "--server.fileWatcherType", "none"),
        *("--browser.gatherUsageStats", "false", *streamlit_flags),
    ]
    os.execve(sys.executable, command, settings.environment_with(secrets))  # noqa: S606


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=GATEWAY_PORT, show_default=True, type=click.IntRange(1, 65535))
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="How many processes answer.")
def gateway(host: str, port: int, workers: int) -> None:
    """Start the HTTP face alone: /v1, /healthz, /readyz, /metrics. Every call needs an API key."""
    import uvicorn

    _check_port(host, port)
    with opening.store():  # migrated once, before several workers look at it
        pass
    click.echo(f"The gateway is at http://{_shown_host(host)}:{port}/v1. Ctrl+C stops it.")
    uvicorn.run(
        "core.gateway.app:create",
        factory=True,
        host=host,
        port=port,
        workers=workers,
        loop="auto" if sys.platform == "win32" else "uvloop",
        http="httptools",
        ws="none",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_graceful_shutdown=30,
    )


def in_use(host: str, port: int) -> bool:
    """Whether a program listens there already."""
    try:
        _check_port(host, port)
    except Conflict:
        return True
    return False


def _check_door(host: str) -> None:
    """Raises: GreenroomError when others could reach a console that asks nobody who they are."""
    from core.gateway import doors

    doors.check_start(opening.load(), host=host)


def _check_port(host: str, port: int) -> None:
    """Raises: Conflict when another program has the port, Invalid when the address is not this machine's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except socket.gaierror:
            raise Invalid(f"{host!r} is not an address.", hint="Use 127.0.0.1, or 0.0.0.0 for every one.") from None
        except PermissionError:
            raise GreenroomError(
                f"Port {port} needs rights this user does not have.", hint="Use one above 1023."
            ) from None
        except OSError as error:
            if error.errno == 99:  # EADDRNOTAVAIL
                raise Invalid(f"{host} is not an address of this machine.", hint="Use 127.0.0.1 or 0.0.0.0.") from None
            raise Conflict(
                f"Port {port} is in use, perhaps by a Greenroom that is running already.",
                hint=f"Stop that program, or start with --port {_free_port(host, family)}.",
            ) from None


def _free_port(host: str, family: int) -> int:
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def _shown_host(host: str) -> str:
    if host in {"0.0.0.0", "::"}:  # noqa: S104
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def _has_display() -> bool:
    """Whether there is a screen to open a browser on; a server in a terminal has none."""
    if sys.platform in {"darwin", "win32"}:
        return True
    return bool(settings.environment("DISPLAY") or settings.environment("WAYLAND_DISPLAY"))


def _secrets_for_streamlit() -> dict[str, str]:
    """A cookie secret that survives a restart and is the same on every replica with the same secret key.

    Streamlit signs the cookie of a login in progress with it; made up anew at each start, logins break.
    """
    from core.vault import open_vault

    chosen = opening.load()
    if any("cookieSecret" in file.read_text(encoding="utf-8") for file in _config_files() if file.is_file()):
        return {}
    return {COOKIE_VARIABLE: open_vault(chosen.data_dir, chosen.secret_key).derive("streamlit-cookie").hex()}


def _config_files() -> tuple[Path, ...]:
    home = Path("~/.streamlit/config.toml").expanduser()
    return home, Path(".streamlit/config.toml"), settings.ROOT / ".streamlit" / "config.toml"

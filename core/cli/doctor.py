"""`greenroom doctor`: what is configured, reachable, wrong, and how to mend it."""

from __future__ import annotations

import click

from core import settings
from core.cli import checkup, checkup_store, opening
from core.cli.checkup import Finding, State
from core.errors import Invalid
from core.log import plain

_COLOURS = {State.OK: "green", State.WARN: "yellow", State.FAIL: "red"}


@click.command()
def doctor() -> None:
    """Look at settings, store, keys, login, backends, ports. Ends with code 1 when something must be mended."""
    findings: list[Finding] = []

    def tell(*found: Finding) -> None:
        for finding in found:
            findings.append(finding)
            click.echo(f"{click.style(finding.state.ljust(4), fg=_COLOURS[finding.state])}  {plain(finding.said)}")
            if finding.mend:
                click.echo(f"      → {plain(finding.mend)}")

    try:
        chosen = opening.load()
    except Invalid as error:
        tell(Finding(State.FAIL, error.message, error.hint))
        raise SystemExit(1) from None
    tell(*checkup.configured(chosen, settings.sources(), settings.unknown_variables()))
    tell(checkup.folder(chosen), checkup.disk(chosen), secret := checkup.secret(chosen))
    tell(*checkup.login(chosen, settings.login()))
    tell(*(stored := checkup_store.store(chosen)))
    tell(checkup.tokenizers(), *checkup_store.ports())
    if all(finding.state != State.FAIL for finding in (secret, *stored)):
        tell(*checkup_store.backends(chosen))
    wrong = sum(finding.state == State.FAIL for finding in findings)
    doubtful = sum(finding.state == State.WARN for finding in findings)
    click.echo(f"{wrong} to mend, {doubtful} to look at." if wrong or doubtful else "All is well.")
    if wrong:
        raise SystemExit(1)

"""The list of commands: what each does in a line, and where it lives."""

from __future__ import annotations

import importlib
from collections.abc import Mapping

import click


class Commands(click.Group):
    """A group whose commands are imported when they run; without one, `serve` runs."""

    lazy: Mapping[str, tuple[str, str]] = {
        "serve": ("core.cli.serving:serve", "Start the console and the gateway (the default)."),
        "gateway": ("core.cli.serving:gateway", "Start the HTTP face alone."),
        "worker": ("core.cli.working:worker", "Ask cells of runs for a cluster."),
        "migrate": ("core.cli.storing:migrate", "Bring the store to this version's shape."),
        "backup": ("core.cli.storing:backup", "Copy the store into a file while it is in use."),
        "key": ("core.cli.keys:key", "API keys: create, list, revoke."),
        "backend": ("core.cli.backends:backend", "Backends: add, list."),
        "prompt": ("core.cli.prompting:prompt", "Prompts: list, pull to files, push from files, move labels."),
        "eval": ("core.cli.evaluating:evaluate", "Run an eval file, here or in CI: thresholds, JUnit XML, exit codes."),
        "calls": ("core.cli.calling:calls", "Recorded calls: export."),
        "audit": ("core.cli.auditing:audit", "The audit trail: verify."),
        "doctor": ("core.cli.doctor:doctor", "What is configured, reachable, wrong, and how to mend it."),
    }

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.lazy)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.lazy:
            return None
        module, _, name = self.lazy[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, said) for name, (_, said) in self.lazy.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {"-h", "--help", "--version"}
        if not args or (args[0].startswith("-") and args[0] not in own):
            args = ["serve", *args]
        return super().parse_args(ctx, args)

"""The command line: `greenroom` starts the console and the gateway; its commands look after the store.

Only click is imported here; a command's own module is read when it runs, so that `--help` is quick.
"""

from __future__ import annotations

import os
import sys

import click

from core.cli.commands import Commands
from core.errors import GreenroomError, Invalid
from core.log import plain

FAILED, MISUSED = 1, 2


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="greenroom", message="greenroom %(version)s")
def group() -> None:
    """Try, record and account for what your LLM applications say.

    Without a command, `serve` starts the console and the gateway.
    """


def main(arguments: list[str] | None = None) -> None:
    """Run a command; what a person can mend is a sentence on standard error, never a stack."""
    try:
        group.main(args=arguments, prog_name="greenroom", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.exceptions.Exit as end:
        sys.exit(end.exit_code)
    except (click.Abort, KeyboardInterrupt):
        sys.exit(130)
    except GreenroomError as error:
        click.echo(plain(str(error)), err=True)
        sys.exit(MISUSED if isinstance(error, Invalid) else FAILED)
    except BrokenPipeError:  # the reader has seen enough, as in `… | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(FAILED)

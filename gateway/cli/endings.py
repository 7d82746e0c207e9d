"""How a command ends that did not do what it was asked to."""

import click

USAGE = 2
"""Exit code for what the user has to write differently: arguments or settings."""


class Failed(click.ClickException):
    """The command did not do what it was asked to (exit code 1)."""


class Wrong(click.ClickException):
    """An argument cannot be used (exit code 2)."""

    exit_code = USAGE

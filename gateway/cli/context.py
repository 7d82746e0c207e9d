"""What every command gets as `ctx.obj`: the settings, loaded when first asked for."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.exceptions import Exit

from gateway.cli.endings import USAGE

if TYPE_CHECKING:
    from gateway.settings import Settings, SettingsError


class Context:
    """The settings of one run of the command line."""

    def __init__(self, config: Path | None = None, environ: Mapping[str, str] = os.environ) -> None:
        self.config = config
        self._environ = environ
        self._settings: Settings | None = None

    def settings(self, **overrides: Any) -> "Settings":
        """The settings; warnings go to stderr once, and wrong ones end the command with all that is wrong.

        `overrides` are the command's own options (None = not given) and count the first time only.
        """
        if self._settings is None:
            # pydantic is imported by commands that read settings, never by `--help`.
            from gateway.settings import SettingsError, load_settings

            try:
                self._settings = load_settings(self.config, self._environ, overrides)
            except SettingsError as error:
                click.echo(f"Error: {SettingsError(_with_plugins(error))}", err=True)
                raise Exit(USAGE) from error
            for warning in self._settings.warnings:
                click.echo(f"Warning: {warning}", err=True)
        return self._settings


def _with_plugins(error: "SettingsError") -> "list[str]":
    """The problems, and those in the plugins' sections: whoever repairs one wants to know of all."""
    if error.rest is None:
        return list(error.problems)
    from gateway.runtime import load_plugins

    return list(dict.fromkeys((*error.problems, *load_plugins(error.rest).wrong_settings)))

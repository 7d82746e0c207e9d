"""Where a command takes an upstream's key from: never from its arguments, which other users can see."""

import os
import re
import sys
from collections.abc import Callable
from functools import update_wrapper
from pathlib import Path
from typing import Any, Final

import click

from gateway.cli.endings import Failed, Wrong
from gateway.cli.opened import settings

_LIMIT: Final = 65536
_REFERENCE: Final = re.compile(r"""\{\s*(env|file)\s*=\s*(["']?)(.+?)\2\s*\}""")


def api_key_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the sources of a key to a command that takes `api_key`: None when no source was given."""

    def with_api_key(
        *args: Any,
        api_key: str | None,
        api_key_env: str | None,
        api_key_file: Path | None,
        api_key_stdin: bool,
        **options: Any,
    ) -> Any:
        if sum((api_key is not None, api_key_env is not None, api_key_file is not None, api_key_stdin)) > 1:
            sources = "--api-key, --api-key-env, --api-key-file or --api-key-stdin"
            raise Wrong(f"Give the API key from one source only: {sources}.")
        options["api_key"] = None
        if api_key is not None:
            options["api_key"] = _reference(api_key)
        elif api_key_env is not None:
            options["api_key"] = _from_environment(api_key_env)
        elif api_key_file is not None:
            options["api_key"] = _secret(_read(api_key_file))
        elif api_key_stdin:
            options["api_key"] = _secret(sys.stdin.buffer.read(_LIMIT))
        return command(*args, **options)

    decorated: Callable[..., Any] = update_wrapper(with_api_key, command)
    for option in (
        click.option("--api-key-stdin", is_flag=True, help="Store the API key that stands on standard input."),
        click.option("--api-key-file", type=click.Path(path_type=Path), help="Store the API key that this file holds."),
        click.option("--api-key-env", metavar="VAR", help="Store the API key that this environment variable holds."),
        click.option(
            "--api-key",
            metavar="{env=VAR}|{file=PATH}",
            help="Store no API key: the server looks it up in its environment or in a file.",
        ),
    ):
        decorated = option(decorated)
    return decorated


def _reference(text: str) -> Any:
    from gateway.registry import InvalidValue, references

    match = _REFERENCE.fullmatch(text.strip())
    if match is None:
        raise Wrong(
            "--api-key takes {env=VAR} or {file=PATH}, never the key itself: other users can see a command's arguments."
        )
    try:
        if match[1] == "env":
            return references.variable(match[3])
        return references.file(Path(match[3]), data_dir=settings().data_dir)
    except InvalidValue as error:
        raise Wrong(str(error)) from error


def _from_environment(name: str) -> Any:
    value = os.environ.get(name)
    if value is None:
        raise Failed(f"The environment variable {name} is not set: set it, or take the key from another source.")
    return _secret(os.fsencode(value))


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LIMIT)
    except OSError as error:
        raise Failed(f"The file {path} cannot be read: {error.strerror}.") from error


def _secret(value: bytes) -> Any:
    from gateway.registry import InvalidValue
    from gateway.secrets import Secret
    from gateway.settings import limits

    try:
        key = limits.api_key(value.decode())
    except UnicodeDecodeError as error:
        raise Wrong("The API key is not text in UTF-8: check how it was saved.") from error
    except InvalidValue as error:
        raise Wrong(str(error)) from error
    if not key:
        click.echo("Warning: the API key is empty: requests will carry none.", err=True)
    return Secret(key)

"""Where a command takes an upstream's key from: never from its arguments, which other users can see."""

import os
import sys
from collections.abc import Callable
from functools import update_wrapper
from pathlib import Path
from typing import Any, Final

import click

from gateway.cli.endings import Failed, Wrong

_LIMIT: Final = 65536


def api_key_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the three sources of a key to a command that takes `api_key`: None when no source was given."""

    def with_api_key(
        *args: Any, api_key_env: str | None, api_key_file: Path | None, api_key_stdin: bool, **options: Any
    ) -> Any:
        if sum((api_key_env is not None, api_key_file is not None, api_key_stdin)) > 1:
            raise Wrong("Give the API key from one source only: --api-key-env, --api-key-file or --api-key-stdin.")
        options["api_key"] = None
        if api_key_env is not None:
            options["api_key"] = _from_environment(api_key_env)
        elif api_key_file is not None:
            options["api_key"] = _secret(_read(api_key_file))
        elif api_key_stdin:
            options["api_key"] = _secret(sys.stdin.buffer.read(_LIMIT))
        return command(*args, **options)

    decorated: Callable[..., Any] = update_wrapper(with_api_key, command)
    for option in (
        click.option("--api-key-stdin", is_flag=True, help="Take the API key from standard input."),
        click.option("--api-key-file", type=click.Path(path_type=Path), help="Take the API key from this file."),
        click.option("--api-key-env", metavar="VAR", help="Take the API key from this environment variable."),
    ):
        decorated = option(decorated)
    return decorated


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
    from gateway.registry import InvalidValue, limits
    from gateway.secrets import Secret

    try:
        key = limits.api_key(value.decode())
    except UnicodeDecodeError as error:
        raise Wrong("The API key is not text in UTF-8: check how it was saved.") from error
    except InvalidValue as error:
        raise Wrong(str(error)) from error
    if not key:
        click.echo("Warning: the API key is empty: requests will carry none.", err=True)
    return Secret(key)

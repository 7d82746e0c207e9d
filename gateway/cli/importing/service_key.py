"""Where the service role key comes from: a variable, a file or a prompt, never an argument others can see."""

import os
import re
import sys
from pathlib import Path
from typing import Final

import click

from gateway.cli.endings import Failed, Wrong
from gateway.secrets import Secret

VARIABLE: Final = "SUPABASE_SERVICE_ROLE_KEY"
"""What Chatbot UI's own `.env` calls it."""
_SENDABLE: Final = re.compile(r"[\x21-\x7e]+")


def service_key(variable: str | None, file: Path | None) -> Secret:
    """The key from where it was said to be, else from its usual variable, else asked for."""
    if variable is not None and file is not None:
        raise Wrong("Give the service role key from one source only: --service-key-env or --service-key-file.")
    text = _read(variable, file).strip()
    if not _SENDABLE.fullmatch(text):
        raise Wrong("The service role key is empty, or has characters that no HTTP header can hold.")
    return Secret(text)


def _read(variable: str | None, file: Path | None) -> str:
    if file is not None:
        try:
            return file.read_text("utf-8")
        except OSError as error:
            raise Failed(f"The file {file} cannot be read: {error.strerror}.") from error
        except UnicodeDecodeError as error:
            raise Wrong("The service role key is no text in UTF-8: check how it was saved.") from error
    value = os.environ.get(variable or VARIABLE)
    if value:
        return value
    if variable is not None:
        raise Failed(f"The environment variable {variable} is not set: set it, or take the key from a file.")
    if not sys.stdin.isatty():
        raise Wrong(f"The service role key is missing: set {VARIABLE}, or use --service-key-file.")
    return str(click.prompt("Service role key", hide_input=True, err=True))

"""From where rows can come, told apart by how the source is written."""

import os
from collections.abc import Collection
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import click

from gateway.cli.endings import Failed, Wrong
from gateway.cli.importing.findings import Tables
from gateway.cli.importing.progress import Bars
from gateway.secrets import Secret

_POSTGRES: Final = ("postgres://", "postgresql://", "postgresql+asyncpg://")
_WEB: Final = ("https://", "http://")


def addresses(given: Collection[str], variable: str | None) -> list[str]:
    """The sources of `--from` and `--from-env`; a password among the arguments is told, everybody here can see it."""
    found = list(given)
    if any(address.startswith(_POSTGRES) and urlsplit(address).password for address in given):
        text = "other users of this machine can see a password in the arguments: use --from-env VAR, or PGPASSWORD."
        click.echo(f"Warning: {text}", err=True)
    if variable is not None:
        value = os.environ.get(variable)
        if not value:
            raise Failed(f"The environment variable {variable} is not set: set it to the source.")
        found.append(value.strip())
    if not found:
        raise Wrong("Say where the models are: --from with a PostgreSQL or Supabase URL or a file, or --from-env.")
    return found


def needs_key(address: str) -> bool:
    """Whether it is a Supabase project."""
    return address.startswith(_WEB)


async def read_source(
    address: str, tables: Collection[str], key: Secret | None, allow: tuple[str, ...], bars: Bars
) -> Tables:
    """The rows of these tables, as far as the source has them; `key` is for a Supabase project."""
    if address.startswith(_POSTGRES):
        # Each source's libraries are loaded only where it is read from.
        from gateway.cli.importing.postgres import read_postgres, source_url

        return await read_postgres(source_url(address), tables, bars)
    if needs_key(address):
        assert key is not None
        from gateway.cli.importing.supabase import Project

        if address.startswith("http://"):
            click.echo("Warning: the service role key goes to the project over plain http.", err=True)
        return await Project(address, key).read(tables, allow, bars)
    if "://" in address:
        raise Wrong(f"The scheme {address.partition('://')[0]!r} is no source: use postgresql, https or a file.")
    from gateway.cli.importing.files import read_file

    bars.step(f"Reading {Path(address).name}")
    return read_file(Path(address), tables)

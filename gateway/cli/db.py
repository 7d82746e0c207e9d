"""`gateway db`: the schema of the database."""

from typing import TYPE_CHECKING, TypeVar

import click

from gateway.cli.endings import Failed
from gateway.cli.opened import running, settings

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from gateway.registry.connection import Engine

T = TypeVar("T")


@click.group(name="db")
def group() -> None:
    """Look after the database's schema."""


@group.command()
@click.argument("revision", default="head")
def upgrade(revision: str) -> None:
    """Bring the database to this program's schema.

    REVISION is the one to stop at; without it the newest this program knows.
    """
    from gateway.registry import migrations

    async def run(engine: "Engine") -> str | None:
        migrations.refuse_newer(await migrations.current(engine))
        await migrations.upgrade(engine, revision)
        return await migrations.current(engine)

    click.echo(f"The database is at revision {_on_engine(run) or 'none'}.", err=True)


@group.command(context_settings={"ignore_unknown_options": True})
@click.argument("revision", default="-1")
def downgrade(revision: str) -> None:
    """Bring the database back to an older schema.

    REVISION is `base`, a revision's name, or `-1` for one step (the default). What the older schema has no place for
    is deleted.
    """
    from gateway.registry import migrations

    async def run(engine: "Engine") -> str | None:
        migrations.refuse_newer(await migrations.current(engine))
        await migrations.downgrade(engine, revision)
        return await migrations.current(engine)

    click.echo(f"The database is at revision {_on_engine(run) or 'none'}.", err=True)


@group.command()
def current() -> None:
    """Print the revision the database is at."""
    from gateway.registry import SchemaMismatch, migrations

    revision = _on_engine(migrations.current)
    click.echo(revision or "none")
    try:
        migrations.refuse_newer(revision)
    except SchemaMismatch as newer:
        click.echo(str(newer), err=True)
        return
    if revision != migrations.HEAD:
        click.echo(f"This program needs {migrations.HEAD}: run `gateway db upgrade`.", err=True)


@group.command()
def check() -> None:
    """Compare the tables with this program's schema.

    The exit code is 1 when they differ.
    """
    from gateway.registry import migrations

    async def run(engine: "Engine") -> list[str]:
        migrations.refuse_newer(await migrations.current(engine))
        return await migrations.check(engine)

    if differences := _on_engine(run):
        raise Failed("\n".join((*differences, "Run `gateway db upgrade`.")))
    click.echo("The tables are what this program needs.", err=True)


def _on_engine(action: "Callable[[Engine], Awaitable[T]]") -> T:
    """Work on the database as it is, without migrating it first."""
    from gateway.registry.database import reaching
    from gateway.registry.engine import create_engine, parse_url

    given = settings()

    async def run() -> T:
        engine = create_engine(parse_url(given.database_url))
        try:
            async with reaching(engine):
                return await action(engine)
        finally:
            await engine.dispose()

    return running(run)

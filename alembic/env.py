"""What alembic runs: with the caller's connection, or with an engine of its own for `alembic` on the command line."""

import asyncio
from typing import Any, Literal

import sqlalchemy as sa

from alembic import context
from gateway.registry.columns import Sealed, Timestamp
from gateway.registry.engine import create_engine, parse_url
from gateway.registry.migrations import VERSION_TABLE, locked
from gateway.registry.tables import SCHEMA, metadata


def render_item(kind: str, item: Any, autogen_context: Any) -> str | Literal[False]:
    """Scripts name plain types: they must run when our classes have moved on."""
    if kind == "type" and isinstance(item, Sealed):
        return "sa.Text()"
    if kind == "type" and isinstance(item, Timestamp):
        return "sa.DateTime(timezone=True)"
    return False


def compare_type(migration_context: Any, inspected: Any, column: Any, reflected: Any, wanted: Any) -> bool | None:
    """Our types are compared by what they are stored as."""
    if isinstance(wanted, Sealed):
        return not isinstance(reflected, sa.Text)
    if isinstance(wanted, Timestamp):
        return not isinstance(reflected, sa.DateTime)
    return None


def include_object(item: Any, name: str | None, kind: str, reflected: bool, compare_to: Any) -> bool:
    """Tables that are not ours, foreign ones among them, do not exist for us."""
    return not (kind == "table" and reflected and compare_to is None)


def run(connection: sa.Connection) -> None:
    """Migrate or compare inside the connection's transaction, or in one transaction of its own."""
    sqlite = connection.dialect.name == "sqlite"
    schema = None if sqlite else SCHEMA
    target = metadata
    if sqlite:
        target = sa.MetaData(naming_convention=metadata.naming_convention)
        for table in metadata.tables.values():
            table.to_metadata(target, schema=schema)
    context.configure(
        connection=connection,
        target_metadata=target,
        version_table=VERSION_TABLE,
        version_table_schema=schema,
        include_schemas=not sqlite,
        include_name=lambda name, kind, parents: kind != "schema" or name == schema,  # no other schema is looked at
        include_object=include_object,
        compare_type=compare_type,
        render_item=render_item,
        render_as_batch=sqlite,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_alone() -> None:
    """Open the configured database, take the lock, run."""
    from gateway.settings import load_settings

    engine = create_engine(parse_url(load_settings().database_url))
    try:
        async with locked(engine) as connection:
            await connection.run_sync(run)
    finally:
        await engine.dispose()


if context.is_offline_mode():
    raise SystemExit("Migrations run against a database: use `gateway db upgrade`.")
given: sa.Connection | None = context.config.attributes.get("connection")
if given is None:
    asyncio.run(run_alone())
else:
    run(given)

"""Brings the tables to the revision this program knows, one process at a time.

Alembic is imported only where a migration has to run or to be compared: reading the version is one SELECT.
"""

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from gateway.registry.connection import Connection, Engine
from gateway.registry.errors import RegistryError, SchemaMismatch
from gateway.registry.tables import SCHEMA

if TYPE_CHECKING:
    from alembic.config import Config

REVISIONS: Final = ("0001", "0002", "0003", "0004")
"""Every revision this program knows, oldest first; the last is what it needs. A test compares it with the scripts."""
HEAD: Final = REVISIONS[-1]
EMPTY: Final = "empty.sql"
"""A new SQLite database at `HEAD`, as the migrations make it (`make schema`). A test compares it with theirs."""
VERSION_TABLE: Final = "gateway_alembic_version"
_ASK_AGAIN: Final = 0.1
_LOCK: Final = 0x67617465  # any number nobody else locks by; this one spells "gate"


async def current(engine: Engine) -> str | None:
    """The revision the tables are at; None before the first migration."""
    version = sa.Table(VERSION_TABLE, sa.MetaData(), sa.Column("version_num", sa.Text), schema=SCHEMA)
    async with engine.connect() as connection:
        try:
            revision: str | None = await connection.scalar(sa.select(version.c.version_num))
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) in ("42P01", "3F000") or "no such table" in str(error.orig):
                return None
            raise
        return revision


async def ensure(engine: Engine, *, migrate: bool) -> None:
    """Migrate to `HEAD` where it is allowed and needed; `SchemaMismatch` where the tables stay others than ours."""
    revision = await current(engine)
    if revision == HEAD:
        return
    refuse_newer(revision)
    if not migrate:
        raise SchemaMismatch(
            f"The database is at revision {revision or 'none'}, this program needs {HEAD}: run `gateway db upgrade`."
        )
    if engine.dialect.name == "sqlite":
        await _fill(engine)
    if await current(engine) != HEAD:
        await upgrade(engine)


def refuse_newer(revision: str | None) -> None:
    """`SchemaMismatch` for a revision this program has never heard of."""
    if revision is not None and revision not in REVISIONS:
        raise SchemaMismatch(
            f"The database is at revision {revision}, which is newer than this program ({HEAD}): "
            "run `pip install --upgrade litestar-gateway`."
        )


async def _fill(engine: Engine) -> None:
    """Make the tables in a SQLite file that is empty; nothing where somebody was faster.

    Nothing is there to be migrated, and a first start that loads alembic takes half as long again, and 12 MB more.
    """
    async with locked(engine) as connection:
        if await connection.scalar(sa.text("SELECT count(*) FROM sqlite_master")):
            return
        for statement in (scripts() / EMPTY).read_text("utf-8").split("\n\n"):
            await connection.exec_driver_sql(statement)


async def upgrade(engine: Engine, revision: str = "head") -> None:
    """Run the migrations up to `revision` under the lock; does nothing when another process was faster."""
    async with locked(engine) as connection:
        await connection.run_sync(partial(_command, name="upgrade", revision=revision))


async def downgrade(engine: Engine, revision: str) -> None:
    """Run the migrations down to `revision` (`-1`, `base` or a revision) under the lock."""
    async with locked(engine) as connection:
        await connection.run_sync(partial(_command, name="downgrade", revision=revision))


async def check(engine: Engine) -> list[str]:
    """How the tables in the database differ from those of this program; empty when they do not."""
    revision = await current(engine)
    if revision != HEAD:
        return [f"The database is at revision {revision or 'none'}, this program needs {HEAD}."]
    async with locked(engine) as connection:
        return await connection.run_sync(_differences)


@asynccontextmanager
async def locked(engine: Engine) -> AsyncIterator[Connection]:
    """One transaction that no other migrating process can be in, the schema made where there is none.

    The advisory lock ends with the transaction, so it works through a pooler in transaction mode. Who does not get it
    asks again in another transaction: a migration may take longer than any statement, and a pool's servers are few.
    """
    if engine.dialect.name != "postgresql":
        async with engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin() as connection:
            yield connection
        return
    while True:
        async with engine.begin() as connection:
            if await connection.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_LOCK))):
                # Asked first: IF NOT EXISTS still demands the right to create schemas.
                if await connection.scalar(sa.select(sa.func.to_regnamespace(SCHEMA))) is None:
                    await connection.execute(sa.schema.CreateSchema(SCHEMA))
                yield connection
                return
        await asyncio.sleep(_ASK_AGAIN)


def scripts() -> Path:
    """Where the migrations lie: in the wheel, or in the checkout's `alembic/`."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "migrations"
    return inside if inside.is_dir() else package.parent / "alembic"


def config(connection: sa.Connection | None = None) -> "Config":
    """Alembic's configuration, made in code."""
    from alembic.config import Config

    made = Config(stdout=io.StringIO(), output_buffer=io.StringIO())
    made.set_main_option("script_location", str(scripts()).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


def _command(connection: sa.Connection, name: str, revision: str) -> None:
    from alembic.util import CommandError

    from alembic import command

    try:
        getattr(command, name)(config(connection), revision)
    except CommandError as error:
        known = ", ".join(("base", *REVISIONS))
        raise RegistryError(f"There is no way to the revision {revision!r} ({error}): there are {known}.") from error


def _differences(connection: sa.Connection) -> list[str]:
    from alembic.util import AutogenerateDiffsDetected

    from alembic import command

    try:
        command.check(config(connection))
    except AutogenerateDiffsDetected as error:
        return [str(difference) for difference in error.diffs]
    return []

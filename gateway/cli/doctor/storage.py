"""Where the gateway keeps things: keyring and database."""

import re
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import URL

from gateway.cli.doctor.finding import Finding, aside, command, failed, ok, warning
from gateway.registry import KeyringError, RegistryError, migrations
from gateway.registry.connection import Connection, Engine
from gateway.registry.database import reaching, read
from gateway.registry.engine import create_engine, parse_url
from gateway.registry.postgres import behind_pgbouncer
from gateway.registry.tables import models, routes, secrets
from gateway.settings import Settings

if TYPE_CHECKING:
    from gateway.registry.keyring import Keyring

_POOLER: Final = "prepared statement"
"""What PostgreSQL complains of when statements were prepared on another of a pooler's connections."""


def keyring(settings: Settings) -> Iterator[Finding]:
    """Whether the keyring can be read, and only by this user."""
    file = settings.data_dir / "keyring"
    if file.is_dir():
        yield failed("keyring", f"{file} is a directory.", aside(file))
        return
    try:
        found = read(settings)
    except KeyringError as error:
        is_open = "can be read by other users" in str(error)
        yield failed("keyring", str(error), command("chmod", "600", file) if is_open else aside(file))
        return
    if settings.secret_keys:
        yield ok("keyring", f"{len(settings.secret_keys)} from the settings")
    else:
        yield ok("keyring", f"{file}" if found is not None else f"{file} is made at the first start")


class Stored:
    """The database, looked at without changing anything in it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.models: Sequence[Any] = ()
        """Id, name, provider and base URL of the enabled models, once `findings` has come so far."""
        self.ids: Sequence[str] = ()
        """Of all models."""
        self.routes: Sequence[Any] = ()
        """Id, name, strategy and targets of the enabled routes."""

    async def findings(self) -> AsyncIterator[Finding]:
        """Whether it answers, has our tables, and is opened by our keyring."""
        try:
            url = parse_url(self._settings.database_url)
            file = Path(url.database or "") if url.get_backend_name() == "sqlite" else None
            if file is not None and not file.exists():
                yield ok("database", f"{file} is made at the first start")
                return
            if file is not None and file.is_dir():
                yield failed("database", f"{file} is a directory.", aside(file))
                return
            engine = create_engine(url)
        except RegistryError as error:
            yield failed("database", str(error), "unset GATEWAY_DATABASE_URL")
            return
        try:
            async with reaching(engine):
                async for finding in self._looked_at(engine, url):
                    yield finding
        except RegistryError as error:
            yield failed("database", str(error), _repair(url, str(error)))
        finally:
            await engine.dispose()

    async def _looked_at(self, engine: Engine, url: URL) -> AsyncIterator[Finding]:
        began = time.perf_counter()
        async with engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").connect() as connection:
            await connection.execute(sa.select(1))
            pooled = await _is_pooled(connection)
        took = (time.perf_counter() - began) * 1000
        yield ok("database", f"{engine.url.render_as_string(hide_password=True)} answers in {took:.0f} ms")
        if pooled and "pgbouncer" not in url.query and not behind_pgbouncer(url):
            told = "A pooler stands before the database, and the URL does not say so: statements would be prepared."
            yield warning("database", told, _say_pooled(url))
        revision = await migrations.current(engine)
        migrated = self._migrated(revision, embedded=engine.dialect.name == "sqlite")
        yield migrated
        if revision != migrations.HEAD:
            return
        async with engine.connect() as connection:
            sealed = await connection.scalar(sa.select(secrets.c.value).where(secrets.c.name == "index"))
            rows = await connection.execute(
                sa.select(models.c.id, models.c.name, models.c.provider, models.c.base_url).where(models.c.enabled)
            )
            self.models = rows.all()
            self.ids = (await connection.scalars(sa.select(models.c.id))).all()
            rows = await connection.execute(
                sa.select(routes.c.id, routes.c.name, routes.c.strategy, routes.c.targets).where(routes.c.enabled)
            )
            self.routes = rows.all()
        for finding in self._sealed(sealed):
            yield finding

    def _migrated(self, revision: str | None, *, embedded: bool) -> Finding:
        try:
            migrations.refuse_newer(revision)
        except RegistryError as error:
            return failed("migrations", str(error), "pip install --upgrade litestar-gateway")
        if revision == migrations.HEAD:
            return ok("migrations", f"at revision {revision}")
        told = f"at revision {revision or 'none'}, this program needs {migrations.HEAD}"
        if embedded or self._settings.auto_migrate:
            return ok("migrations", f"{told}: done at the next start")
        return failed("migrations", f"The database is {told}.", "gateway db upgrade")

    def _sealed(self, value: Any) -> Iterator[Finding]:
        if value is None:
            yield ok("secrets", "nothing is sealed yet")
            return
        file = self._settings.data_dir / "keyring"
        from_backup = f"cp BACKUP/keyring {command(file)}"
        try:
            found = read(self._settings)
        except KeyringError:
            return  # told as the keyring's own fault
        if found is None:
            told = "The keyring that sealed this database is not here: restore it from a backup."
            yield failed("secrets", told, from_backup)
        elif _opens(found, value):
            yield ok("secrets", "the keyring opens what is sealed")
        elif self._settings.secret_keys and self._opened_by_file(value):
            told = "GATEWAY_SECRET_KEYS does not open this database; the keyring file of the data directory does."
            yield failed("secrets", told, "unset GATEWAY_SECRET_KEYS")
        else:
            told = "The keyring does not open this database: restore the one it was sealed with."
            yield failed("secrets", told, from_backup)

    def _opened_by_file(self, value: Any) -> bool:
        try:
            found = read(self._settings.model_copy(update={"secret_keys": ()}))
        except KeyringError:
            return False
        return found is not None and _opens(found, value)


def _opens(keyring: "Keyring", value: Any) -> bool:
    try:
        keyring.open(value)
    except KeyringError:
        return False
    return True


async def _is_pooled(connection: Connection) -> bool:
    """Whether the process we were told of when we connected is another than the one that answers."""
    if connection.dialect.name != "postgresql":
        return False
    answers = await connection.scalar(sa.select(sa.func.pg_backend_pid()))
    raw: Any = await connection.run_sync(lambda opened: opened.connection.driver_connection)
    return bool(answers != raw.get_server_pid())


def _say_pooled(url: URL) -> str:
    # By the variable's own value: the URL may hold a password.
    return f'export GATEWAY_DATABASE_URL="${{GATEWAY_DATABASE_URL}}{"&" if url.query else "?"}pgbouncer=true"'


def _repair(url: URL, reason: str) -> str:
    """What makes the database answer."""
    if url.get_backend_name() == "sqlite":
        file = Path(url.database or "")
        if "damaged" in reason:
            return aside(*(one for end in ("", "-wal", "-shm") if (one := Path(f"{file}{end}")).exists()))
        return command("fuser", "-v", file) if "locked" in reason else command("chmod", "u+rw", file)
    if _POOLER in reason:
        return _say_pooled(url)
    host = ("-h", url.host) if url.host else ()
    port = ("-p", str(url.port)) if url.port else ()
    if (missing := re.search(r'database "([^"]+)" does not exist', reason)) is not None:
        return command("createdb", *host, *port, *(("-U", url.username) if url.username else ()), missing[1])
    return command("pg_isready", *host, *port)

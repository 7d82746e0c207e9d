"""The registry as the server holds it: an open database and the newest snapshot of it."""

import asyncio
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa

from gateway.registry.database import Database, reaching, read
from gateway.registry.declared import Declared, declared
from gateway.registry.engine import parse_url
from gateway.registry.errors import DatabaseUnavailable, RegistryError
from gateway.registry.kept import keep, kept, was_kept
from gateway.registry.keys import KeyStore
from gateway.registry.snapshot import Contents, RegistrySnapshot, contents, made_of, without_database
from gateway.registry.tables import generation

if TYPE_CHECKING:
    from gateway.registry.postgres import Listener
    from gateway.settings import Settings

_log = logging.getLogger("gateway.registry")
POLL_SECONDS: Final = 1.0
"""How often the database is asked; with the time of one load it makes the stated bound of two seconds."""
_LIMIT: Final = 10.0
_FIRST_LIMIT: Final = 120.0


class Registry:
    """Keeps a snapshot that follows every change, whoever makes it; close it."""

    def __init__(
        self,
        settings: "Settings",
        database: Database | None,
        snapshot: RegistrySnapshot,
        said: Declared,
        rows: Contents | None = None,
    ) -> None:
        self._settings = settings
        self._database = database
        self._snapshot = snapshot
        self._said = said
        self._checked = time.monotonic()
        self._keeps = _is_elsewhere(settings)
        self._mark: tuple[object, ...] | None = None
        if rows is not None and database is not None:
            # Without the files of keys: had one been changed while they were read, nobody would see it again.
            self._mark = (rows.generation, database.keyring_stamp, ())
        self._unkept = rows if self._keeps else None
        self._refreshing = asyncio.Lock()
        self._heard = asyncio.Event()
        self._away = False
        self._given_up = False
        self._unkeepable = False
        self._closing = False
        self._listener: Listener | None = None
        self._task = asyncio.create_task(self._watch())

    @classmethod
    async def open(cls, settings: "Settings") -> "Registry":
        """Open the database (see `Database.open`), load the first snapshot, start following changes.

        Where PostgreSQL cannot be reached, what was kept of it is served, and the models of the settings, until it can
        be; where there is neither, that is the end.
        """
        try:
            database = await Database.open(settings)
        except DatabaseUnavailable as error:
            if error.__cause__ is None or not _is_elsewhere(
                settings
            ):  # without a cause it is the address that is wrong
                raise
            said = declared(settings)
            if not said.models and not was_kept(settings):
                raise
            said = await said.completed()
            return cls(settings, None, await _remembered(settings, said, error), said)
        try:
            database.declared = await database.declared.completed()
            database.follow_keyring()
            rows = await contents(database)
            snapshot = await made_of(rows, database)
        except BaseException:
            await database.aclose()
            raise
        registry = cls(settings, database, snapshot, database.declared, rows)
        registry.listen(settings.database_url)
        return registry

    @property
    def database(self) -> Database:
        """The open database; raises `DatabaseUnavailable` while there is none yet."""
        if self._database is None:
            raise DatabaseUnavailable("The database has not answered yet: see the log.")
        return self._database

    @property
    def index(self) -> bytes:
        """The secret that the database keeps for all who share it; empty while nobody knows it."""
        return self._database.index if self._database is not None else self._snapshot.index

    @property
    def is_open(self) -> bool:
        """Whether the database has answered since the start."""
        return self._database is not None

    @property
    def snapshot(self) -> RegistrySnapshot:
        """The newest snapshot; ask anew each time."""
        return self._snapshot

    def snapshot_age(self) -> float:
        """Seconds since the snapshot was last known to be the database's state."""
        return time.monotonic() - self._checked

    async def ping(self) -> None:
        """Raise `DatabaseUnavailable` when the database does not answer."""
        await self.database.ping()

    async def refresh(self) -> None:
        """Take a new snapshot if anything changed since the last one."""
        async with self._refreshing:
            asked = time.monotonic()
            if self._database is None:
                self._database = await Database.open(self._settings)
                self._database.declared = await self._database.declared.completed()
                self.listen(self._settings.database_url)
            self.database.follow_keyring()
            mark = (await self._read_generation(), self.database.keyring_stamp, self._snapshot.key_files())
            if mark != self._mark:
                rows = await contents(self.database)
                self._snapshot = await made_of(rows, self.database, self._snapshot)
                self._mark = mark
                self._unkept = rows if self._keeps else None
            self._checked = asked

    def listen(self, url: str) -> None:
        """Hear PostgreSQL's notifications, which shorten the wait; a pooler in transaction mode passes none on."""
        parsed = parse_url(url)
        if parsed.get_backend_name() != "postgresql":
            return
        from gateway.registry.postgres import Listener, behind_pgbouncer  # asyncpg only where it is used

        if not behind_pgbouncer(parsed):
            self._listener = Listener(parsed, self._heard.set)

    async def _watch(self) -> None:
        if self.is_open:  # what it opened with was read just now: to ask again at once would be a part of every start
            await self._keep()
            await self._wait()
        while not self._closing:
            try:
                # The first time it may have to be migrated.
                async with asyncio.timeout(_LIMIT if self.is_open else _FIRST_LIMIT):
                    await self.refresh()
            except (RegistryError, TimeoutError) as error:
                await self._lost(error)
            else:
                if self._away:
                    _log.info("The registry's database is back.")
                self._away = self._given_up = False
                await self._keep()
            await self._wait()

    async def _wait(self) -> None:
        try:
            async with asyncio.timeout(POLL_SECONDS):
                await self._heard.wait()
                if self._closing:
                    return
                self._heard.clear()
                await asyncio.sleep(0.02)  # a burst of changes is one reload
        except TimeoutError:
            pass

    async def _lost(self, error: Exception) -> None:
        """Go on with the last snapshot; say so once."""
        if not self._away:
            _log.warning("The registry is served from memory: %s", error)
        self._away = True
        self._mark = None
        if self._snapshot.is_current:
            self._snapshot = self._snapshot.remembered()
        if self.snapshot_age() > self._settings.outage_seconds and not self._given_up:
            self._given_up = True
            self._snapshot = without_database(self._said)
            _log.error(
                "The database has been away for %.0f seconds: its models and keys are no longer served "
                "(outage_seconds).",
                self.snapshot_age(),
            )

    async def _keep(self) -> None:
        """Keep what was read for a start without the database; what prevents that is said once, and tried again."""
        rows, database = self._unkept, self.database
        if rows is None:
            return
        try:
            await asyncio.to_thread(keep, self._settings, rows, database.keyring, database.index)
        except OSError as error:
            if not self._unkeepable:
                _log.error("The registry cannot be kept for a start without its database: %s.", error.strerror)
            self._unkeepable = True
        else:
            self._unkept, self._unkeepable = None, False

    async def _read_generation(self) -> int:
        """The number that triggers count up with every change of the registry, and with nothing else.

        Not SQLite's data_version: that tells of every commit, the ledger's among them, so that a busy gateway would
        load the whole registry anew every second.
        """
        async with reaching(self.database.engine), self.database.engine.connect() as connection:
            return await connection.scalar(sa.select(generation.c.value)) or 0

    async def aclose(self) -> None:
        """Stop following and close the database."""
        # Asked to end rather than cancelled: a connection given up while it opens outlives the engine, and its thread
        # would report to a loop that is closed. No look at the database takes longer than its limit.
        self._closing = True
        self._heard.set()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._listener is not None:
            await self._listener.aclose()
        if self._database is not None:
            await self._database.aclose()


def _is_elsewhere(settings: "Settings") -> bool:
    """Whether the database is a server that may be away, and no file beside us."""
    return parse_url(settings.database_url).get_backend_name() == "postgresql"


async def _remembered(settings: "Settings", said: Declared, error: Exception) -> RegistrySnapshot:
    """What can be served without the database, said in the log with the reason."""
    if was_kept(settings):
        try:
            remembered = await asyncio.to_thread(kept, settings, read(settings), said)
            snapshot = await made_of(remembered.contents, remembered, is_current=False)
        except RegistryError as reason:
            _log.error("What was kept of the registry is not used: %s", reason)
        else:
            _log.warning("The registry is served as it was kept at %s: %s", remembered.written, error)
            return snapshot
    _log.warning("Only the models of the settings are served: %s", error)
    return without_database(said)


async def ensure_first_admin_key(registry: Registry, data_dir: Path) -> Path | None:
    """The file (0600) the first admin key was just written to; None when any key exists already."""
    return await KeyStore(registry.database).ensure_first_admin(data_dir)

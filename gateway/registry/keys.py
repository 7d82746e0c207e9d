"""The store of virtual keys, and the first admin key of a new installation."""

import os
import tempfile
import uuid
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from gateway.registry.connection import Connection
from gateway.registry.database import Database
from gateway.registry.errors import Conflict, NotFound, RegistryError
from gateway.registry.tables import generation, keys
from gateway.registry.virtual_keys import digest, new_token, shown
from gateway.secrets import Secret
from gateway.settings.limits import LENGTHS, InvalidValue, canonical_uuid, required
from gateway.terms import Limits

SCOPES: Final = ("chat", "admin")
ADMIN_FILE: Final = "admin-key"
_UNLIMITED: Final = Limits()
_REPLACED: Final = " (replaced)"
_FRESH: Final = frozenset({"id", "digest", "prefix", "created_at", "expires_at", "revoked_at"})
"""What a key does not inherit from the one it replaces."""


class StoredKey(msgspec.Struct, frozen=True, kw_only=True):
    """A virtual key as it may be shown."""

    id: str
    name: str
    owner: str | None
    scopes: tuple[str, ...]
    prefix: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    limits: Limits = Limits()
    detach: bool = False
    """Whether its answers are read to their end although the client has left."""

    @property
    def state(self) -> str:
        """`active`, `expired` or `revoked`."""
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= datetime.now(UTC) else "active"


class KeyStore:
    """Creates, lists and revokes virtual keys."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def create(
        self,
        name: str,
        *,
        owner: str | None = None,
        scopes: Collection[str] = ("chat",),
        expires_at: datetime | None = None,
        limits: Limits = _UNLIMITED,
        detach: bool = False,
    ) -> tuple[StoredKey, Secret]:
        """A new key and, this once, its secret."""
        token = new_token()
        values = self._columns(token, name, owner, scopes, expires_at)
        values |= {"limits": _written(limits), "detach": detach}
        async with self._database.change() as connection:
            return await _insert(connection, values), token

    async def all(self) -> list[StoredKey]:
        """All keys, oldest first, revoked ones included."""
        async with self._database.read() as connection:
            rows = (await connection.execute(sa.select(keys).order_by(keys.c.created_at, keys.c.id))).all()
        return [_stored(row) for row in rows]

    async def find(self, id_or_name: str) -> StoredKey:
        """The key of that id, else the unrevoked one of that name."""
        every = await self.all()
        found = [key for key in every if key.id == id_or_name.strip().lower()]
        found = found or [key for key in every if key.name == id_or_name and key.revoked_at is None]
        if not found:
            raise NotFound(f"There is no key {id_or_name[:100]!r}: `gateway keys list` shows all.")
        if len(found) > 1:
            ids = ", ".join(key.id for key in found[:5])
            raise Conflict(f"{len(found)} keys are called {id_or_name[:100]!r}: use an id ({ids}).")
        return found[0]

    async def revoke(self, key_id: str) -> StoredKey:
        """Make a key worthless, everywhere within two seconds; revoking again changes nothing."""
        now = datetime.now(UTC)
        statement = (
            sa.update(keys)
            .where(keys.c.id == canonical_uuid(key_id))
            .values(revoked_at=sa.func.coalesce(keys.c.revoked_at, sa.bindparam("now", now, keys.c.revoked_at.type)))
            .returning(keys)
        )
        async with self._database.change() as connection:
            row = (await connection.execute(statement)).one_or_none()
        if row is None:
            raise NotFound(f"There is no key with the id {key_id}.")
        return _stored(row)

    async def change(self, key_id: str, *, limits: Limits | None = None, detach: bool | None = None) -> StoredKey:
        """Give a key other limits, or let its answers go on without their client; None leaves what is there."""
        values: dict[str, Any] = {} if limits is None else {"limits": _written(limits)}
        values |= {} if detach is None else {"detach": detach}
        if not values:
            raise InvalidValue("Nothing is to be changed: say what.")
        statement = sa.update(keys).where(keys.c.id == canonical_uuid(key_id)).values(values).returning(keys)
        async with self._database.change() as connection:
            row = (await connection.execute(statement)).one_or_none()
        if row is None:
            raise NotFound(f"There is no key with the id {key_id}.")
        return _stored(row)

    async def rotate(self, key_id: str, overlap: timedelta) -> tuple[StoredKey, StoredKey, Secret]:
        """Replace a key: the old one, which ends after `overlap` at the latest, the new one and, this once, its secret.

        The new key has the old one's name, owner, scopes and limits; one that was made to end lasts as long as the old
        one was made for.
        """
        now, token = datetime.now(UTC), new_token()
        async with self._database.change() as connection:
            select = sa.select(keys).where(keys.c.id == canonical_uuid(key_id)).with_for_update()
            old = (await connection.execute(select)).one_or_none()
            if old is None:
                raise NotFound(f"There is no key with the id {key_id}.")
            if (state := _stored(old).state) != "active":
                raise Conflict(f"The key {old.name} ({old.id}) is {state}: make a new one with `gateway keys create`.")
            values = {name: value for name, value in old._mapping.items() if name not in _FRESH} | {
                "id": str(uuid.uuid4()),
                "digest": digest(self._database.index, token.reveal()),
                "prefix": shown(token.reveal()),
                "created_at": now,
                "expires_at": now + (old.expires_at - old.created_at) if old.expires_at else None,
            }
            ending = {
                "name": old.name[: LENGTHS["name"] - len(_REPLACED)] + _REPLACED,
                "expires_at": min(now + overlap, old.expires_at) if old.expires_at else now + overlap,
            }
            new = await _insert(connection, values)
            update = sa.update(keys).where(keys.c.id == old.id).values(ending).returning(keys)
            return _stored((await connection.execute(update)).one()), new, token

    async def ensure_first_admin(self, data_dir: Path) -> Path | None:
        """Make the first key of a new installation and write it to a 0600 file; None when any key exists.

        The key has both scopes and no owner. Processes starting at once make one key together.
        """
        async with self._database.change() as connection:
            # The row lock makes a second process wait here, and see our key when it goes on.
            await connection.execute(sa.select(generation.c.value).with_for_update())
            if await connection.scalar(sa.select(sa.func.count()).select_from(keys)):
                return None
            token = new_token()
            await _insert(connection, self._columns(token, "admin", None, SCOPES, None))
            return _write_secret(data_dir / ADMIN_FILE, token)

    def renew_admin_file(self, data_dir: Path, old: StoredKey, token: Secret) -> Path | None:
        """Write the new key to the file of the first admin key where that held the old one; None where it did not."""
        path = data_dir / ADMIN_FILE
        try:
            held = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None
        return _write_secret(path, token) if held.startswith(old.prefix) else None

    def _columns(
        self, token: Secret, name: str, owner: str | None, scopes: Collection[str], expires_at: datetime | None
    ) -> dict[str, Any]:
        if not scopes or set(scopes) - set(SCOPES):
            raise InvalidValue(f"A key's scopes are one or more of {', '.join(SCOPES)}.")
        return {
            "id": str(uuid.uuid4()),
            "name": required("name", name),
            "user_id": canonical_uuid(owner, what="owner") if owner else None,
            "scopes": sorted(set(scopes)),
            "digest": digest(self._database.index, token.reveal()),
            "prefix": shown(token.reveal()),
            "created_at": datetime.now(UTC),
            "expires_at": expires_at,
        }


async def _insert(connection: Connection, values: dict[str, Any]) -> StoredKey:
    return _stored((await connection.execute(sa.insert(keys).values(values).returning(keys))).one())


def _stored(row: sa.Row[Any]) -> StoredKey:
    columns = row._asdict()
    del columns["digest"]
    try:
        columns["limits"] = read_limits(columns["limits"])
    except ValueError as error:
        raise RegistryError(f"The limits of the key {row.name} ({row.id}) cannot be read: {error}.") from error
    return StoredKey(owner=columns.pop("user_id"), scopes=tuple(columns.pop("scopes")), **columns)


def read_limits(value: Any) -> Limits:
    """The limits of a key's row; raises `ValueError`."""
    return msgspec.convert(value, Limits).checked()


def _written(limits: Limits) -> dict[str, int]:
    try:
        said: dict[str, int | None] = msgspec.to_builtins(limits.checked())
    except ValueError as error:
        raise InvalidValue(f"A key cannot have that: {error}.") from error
    return {name: limit for name, limit in said.items() if limit is not None}


def _write_secret(path: Path, secret: Secret) -> Path:
    """The secret in a file only its owner can read, whole or not at all."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        with os.fdopen(handle, "w") as file:
            file.write(secret.reveal() + "\n")
            file.flush()
            os.fsync(file.fileno())
        return Path(temporary).replace(path)
    except OSError as error:
        raise RegistryError(f"The admin key cannot be written to {path}: {error.strerror}.") from error

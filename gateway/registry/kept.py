"""The registry's last state, kept in the data directory for a start while the database is away.

    {"format": 1, "sealed": "<key id>:<token>"}

What is sealed are the tables' rows as they are - keys of upstreams sealed once more inside, virtual keys as digests -
and the index secret. Every worker writes the file, whole, after each change; a start may only read it. It is worth what
the keyring is: without that nobody can open it.
"""

import hashlib
import json
import os
import tempfile
import time
from collections import namedtuple
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
import sqlalchemy as sa

from gateway.registry.columns import Ciphertext, Sealed, Timestamp
from gateway.registry.declared import Declared
from gateway.registry.engine import parse_url
from gateway.registry.errors import KeyringError, RegistryError
from gateway.registry.keyring import Keyring
from gateway.registry.migrations import HEAD
from gateway.registry.snapshot import Contents
from gateway.registry.tables import keys, models, routes

if TYPE_CHECKING:
    from gateway.settings import Settings

NAME: Final = "registry.kept"
_FORMAT: Final = 1
_LEFTOVER_SECONDS: Final = 60.0
_TABLES: Final = (models, keys, routes)


class Kept(msgspec.Struct, frozen=True):
    """What was kept, with what opens its rows."""

    contents: Contents
    keyring: Keyring
    index: bytes
    declared: Declared
    written: str
    """When, for people."""

    def follow_keyring(self) -> None:
        """Nothing: a start reads it once."""


def keep(settings: "Settings", contents: Contents, keyring: Keyring, index: bytes) -> None:
    """Write the file anew, on the disk as a whole before it gets its name; raises `OSError`. Takes its time."""
    state = {
        "database": _identity(settings),
        "revision": HEAD,
        "written": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "index": index.hex(),
        "generation": contents.generation,
        **{table.name: _told(table, rows) for table, rows in zip(_TABLES, contents[1:], strict=True)},
    }
    sealed = keyring.seal_marked(json.dumps(state)).text
    path = settings.data_dir / NAME
    handle, name = tempfile.mkstemp(prefix=f".{NAME}-", dir=path.parent)  # 0600
    try:
        with os.fdopen(handle, "w") as file:
            json.dump({"format": _FORMAT, "sealed": sealed}, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    for leftover in path.parent.glob(f".{NAME}-*"):  # of a process that was killed while it wrote
        try:
            if time.time() - leftover.stat().st_mtime > _LEFTOVER_SECONDS:
                leftover.unlink()
        except FileNotFoundError:
            pass


def was_kept(settings: "Settings") -> bool:
    """Whether there is such a file, good or not."""
    return (settings.data_dir / NAME).exists()


def kept(settings: "Settings", keyring: Keyring | None, declared: Declared) -> Kept:
    """What the file says; raises `RegistryError` with the reason why it cannot be used."""
    path = settings.data_dir / NAME
    try:
        outside = json.loads(path.read_bytes())
        version, sealed = outside["format"], outside["sealed"]
    except OSError as error:
        raise RegistryError(f"{path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise RegistryError(f"{path} is damaged.") from error
    if version != _FORMAT:
        raise RegistryError(f"{path} was written by another version of the gateway (format {version!r:.20}).")
    if keyring is None:
        raise RegistryError(f"{path} is sealed, and there is no keyring.")
    try:
        state = json.loads(keyring.open(Ciphertext(str(sealed))))
    except KeyringError as error:
        raise RegistryError(f"{path} cannot be opened: {error}") from error
    if state["revision"] != HEAD:
        raise RegistryError(f"{path} was written for the schema {state['revision']}, this program's is {HEAD}.")
    if state["database"] != _identity(settings):
        raise RegistryError(f"{path} is of another database than the one of the settings.")
    rows = [_rows(table, state[table.name]) for table in _TABLES]
    contents = Contents(state["generation"], *rows)
    return Kept(contents, keyring, bytes.fromhex(state["index"]), declared, state["written"])


def _identity(settings: "Settings") -> str:
    """What tells a database from others: where it is and what it is called, not who asks."""
    url = parse_url(settings.database_url)
    place = {name: url.query.get(name) for name in ("host", "port")}
    said = json.dumps([url.host, url.port, url.database, place])
    return hashlib.sha256(b"litestar-gateway kept registry 1\0" + said.encode()).hexdigest()


def _told(table: sa.Table, rows: Sequence[Any]) -> list[dict[str, Any]]:
    names = [column.name for column in table.columns]
    return [{name: _as_json(getattr(row, name)) for name in names} for row in rows]


def _rows(table: sa.Table, told: Sequence[Mapping[str, Any]]) -> list[Any]:
    columns = list(table.columns)
    made: Any = namedtuple
    kind = made("Row", [column.name for column in columns])  # as near to a `sa.Row` as can be made
    return [kind(*(_as_value(column, row[column.name]) for column in columns)) for row in told]


def _as_json(value: Any) -> Any:
    match value:
        case Ciphertext():
            return value.text
        case bytes():
            return value.hex()
        case datetime():
            return value.isoformat()
        case _:
            return value


def _as_value(column: sa.Column[Any], said: Any) -> Any:
    if said is None:
        return None
    match column.type:
        case Sealed():
            return Ciphertext(said)
        case Timestamp():
            return datetime.fromisoformat(said)
        case sa.LargeBinary():
            return bytes.fromhex(said)
        case _:
            return said

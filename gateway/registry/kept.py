"""The registry's last state, kept in the data directory for a start while the database is away.

    {"format": 2, "sealed": ["<key id>:<token>", ...]}

What is sealed are the tables' rows as they are - keys of upstreams sealed once more inside, virtual keys as digests -
and the index secret. It is sealed in pieces, because nothing else of Python runs while one is sealed; each says which
one of which file it is, so that none can be left out or taken from another file. Every worker writes the file, whole,
after each change; a start may only read it. It is worth what the keyring is: without that nobody can open it.
"""

import hashlib
import json
import os
import secrets
import tempfile
import time
from collections import namedtuple
from collections.abc import Iterator, Mapping, Sequence
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
_FORMAT: Final = 2
_ROWS: Final = 50
"""In a piece: told and sealed in a millisecond or two."""
_REST: Final = 0.001
"""Seconds between two pieces, for the event loop: a thread that is busy in Python lets it wait for 5 ms each time."""
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
    sealed = []
    for piece in _pieces(settings, contents, index):
        sealed.append(keyring.seal_marked(piece).text)
        time.sleep(_REST)
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
        state, tables = _opened(keyring, sealed)
    except KeyringError as error:
        raise RegistryError(f"{path} cannot be opened: {error}") from error
    except (ValueError, TypeError) as error:
        raise RegistryError(f"{path} is damaged.") from error
    if state["revision"] != HEAD:
        raise RegistryError(f"{path} was written for the schema {state['revision']}, this program's is {HEAD}.")
    if state["database"] != _identity(settings):
        raise RegistryError(f"{path} is of another database than the one of the settings.")
    rows = [_rows(table, tables.get(table.name, ())) for table in _TABLES]
    contents = Contents(state["generation"], *rows)
    return Kept(contents, keyring, bytes.fromhex(state["index"]), declared, state["written"])


def _pieces(settings: "Settings", contents: Contents, index: bytes) -> Iterator[str]:
    """The state: first what is said of it as a whole, then the tables' rows."""
    state = {
        "database": _identity(settings),
        "revision": HEAD,
        "written": time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime()),
        "index": index.hex(),
        "generation": contents.generation,
    }
    some = [
        (table, rows[at : at + _ROWS])
        for table, rows in zip(_TABLES, contents[1:], strict=True)
        for at in range(0, len(rows), _ROWS)
    ]
    file, count = secrets.token_hex(16), 1 + len(some)
    yield json.dumps([file, 0, count, state])
    for number, (table, rows) in enumerate(some, 1):
        yield json.dumps([file, number, count, [table.name, _told(table, rows)]])


def _opened(keyring: Keyring, sealed: Sequence[object]) -> tuple[dict[str, Any], Mapping[str, list[Any]]]:
    """The state, and the rows by their tables; raises `ValueError` or `TypeError` if these are not all of one file."""
    pieces = [json.loads(keyring.open(Ciphertext(str(piece)))) for piece in sealed]
    marks = [[pieces[0][0], number, len(pieces)] for number, _ in enumerate(pieces)]
    if not pieces or [piece[:3] for piece in pieces] != marks:
        raise ValueError("not the pieces of one file")
    tables: dict[str, list[Any]] = {}
    for *_, (name, rows) in pieces[1:]:
        tables.setdefault(name, []).extend(rows)
    return pieces[0][3], tables


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

"""The keyring's file in the data directory: 0600, replaced as a whole, one new key in front for each rotation.

`{"version": 1, "keys": [...], "made": {key id: time}}`; `made` came later, and who does not know it passes over it.
Keys are added and taken away inside `Database.changing_keys`, so never by two processes at once.
"""

import json
import os
import secrets
import tempfile
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, NamedTuple

from gateway.registry.errors import KeyringError
from gateway.registry.keyring import Keyring, key_id

NAME: Final = "keyring"


class _Content(NamedTuple):
    keys: list[str]
    made: dict[str, datetime]


def read_keyring(path: Path) -> Keyring | None:
    """The keyring of that file, None when there is none."""
    content = _read(path)
    return None if content is None else Keyring(*content)


def create_keyring(path: Path) -> Keyring:
    """A keyring with one new key, written to `path`; another process's, if that was faster."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    content = _with_new_key(_Content([], {}))
    temporary = _write_beside(path, content)
    try:
        os.link(temporary, path)  # fails where a file exists already: the first process wins, whole file or nothing
    except (FileExistsError, FileNotFoundError):
        faster = read_keyring(path)
        if faster is None:
            raise KeyringError(f"The keyring {path} cannot be made: somebody takes it away.") from None
        return faster
    finally:
        temporary.unlink(missing_ok=True)
    return Keyring(*content)


def add_key(path: Path) -> Keyring:
    """Put a new key in front of the file's, on disk before this returns; the old ones go on opening."""
    return _replace(path, _with_new_key(_known(path)))


def drop_keys(path: Path, ids: Collection[str]) -> Keyring:
    """Take these keys out of the file; never the one that seals."""
    known = _known(path)
    first, *rest = known.keys
    return _replace(path, _Content([first, *(key for key in rest if key_id(key) not in ids)], known.made))


def stamp(path: Path) -> tuple[int, ...] | None:
    """What changes whenever a file is written or replaced; None where there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _known(path: Path) -> _Content:
    content = _read(path)
    if content is None:
        raise KeyringError(f"There is no keyring at {path}: start the gateway once to make one.")
    return content


def _with_new_key(content: _Content) -> _Content:
    secret = secrets.token_urlsafe(32)
    made = {**content.made, key_id(secret): datetime.now(UTC)}
    return _Content([secret, *content.keys], made)


def _replace(path: Path, content: _Content) -> Keyring:
    for leftover in path.parent.glob(f".{path.name}-*"):  # of a process that was killed while it wrote
        leftover.unlink(missing_ok=True)
    try:
        _write_beside(path, content).replace(path)
        directory = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)
    except OSError as error:
        raise KeyringError(f"The keyring {path} cannot be written: {error.strerror}.") from error
    again = _known(path)
    if again.keys != content.keys:
        raise KeyringError(f"The keyring {path} is not what was just written: somebody else changes it, too.")
    return Keyring(*again)


def _read(path: Path) -> _Content | None:
    try:
        if path.stat().st_mode & 0o077:
            raise KeyringError(f"The keyring {path} can be read by other users: run `chmod 600 {path}`.")
        content = json.loads(path.read_bytes())
        keys = content["keys"]
        if content["version"] != 1 or not all(isinstance(key, str) for key in keys):
            raise ValueError(content["version"])
        return _Content(list(keys), _times(content.get("made", {})))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeyringError(f"The keyring {path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise KeyringError(f"The keyring {path} is damaged: restore it from a backup.") from error


def _times(made: Mapping[str, str]) -> dict[str, datetime]:
    return {by: datetime.fromisoformat(at) for by, at in made.items()}


def _write_beside(path: Path, content: _Content) -> Path:
    """A temporary file with the keys in the same directory, 0600, on disk before it gets its name."""
    made = {by: at.isoformat(timespec="seconds") for by, at in _of(content.keys, content.made).items()}
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    with os.fdopen(handle, "w") as file:
        json.dump({"version": 1, "keys": content.keys, "made": made}, file)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)


def _of(keys: Sequence[str], made: Mapping[str, datetime]) -> dict[str, datetime]:
    return {by: made[by] for by in map(key_id, keys) if by in made}

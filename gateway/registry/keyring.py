"""The keyring: what seals provider keys, headers and the index secret at rest.

Sealed text is `<key id>:<fernet token>`. The first key seals, every key opens: to rotate, put a new key first,
reseal (`gateway db reseal`), and drop the old one when nothing is left under it. The index secret, under which
virtual keys are stored, is not a key of the ring: it is made once, lies sealed in the database, and keeps its value
whatever the ring does.
"""

import base64
import hashlib
import json
import os
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.registry.columns import Ciphertext
from gateway.registry.errors import KeyringError

MINIMUM: Final = 16
"""Bytes below which a secret is no secret."""
FILE: Final = "keyring"


class Keyring:
    """Seals and opens text under one or several secrets, newest first."""

    __slots__ = ("_current", "_keys")

    def __init__(self, secrets: Sequence[str]) -> None:
        if not secrets:
            raise KeyringError("A keyring needs at least one secret.")
        for number, secret in enumerate(secrets, 1):
            if len(secret.strip().encode()) < MINIMUM:
                raise KeyringError(
                    f"Secret {number} of the keyring is shorter than {MINIMUM} bytes: "
                    "make one with `openssl rand -base64 32`."
                )
        keys = [(_key_id(secret), Fernet(_derive(secret))) for secret in secrets]
        self._current = keys[0]
        self._keys = dict(reversed(keys))

    def seal(self, plain: str) -> Ciphertext:
        """`plain` under the newest key."""
        key_id, fernet = self._current
        return Ciphertext(f"{key_id}:{fernet.encrypt(plain.encode()).decode()}")

    def open(self, sealed: Ciphertext) -> str:
        """The plain text; `KeyringError` when no key of this ring sealed it."""
        key_id, _, token = sealed.text.partition(":")
        fernet = self._keys.get(key_id)
        if fernet is None:
            raise KeyringError(f"The keyring has no key {key_id[:8]!r}.")
        try:
            return fernet.decrypt(token.encode()).decode()
        except (InvalidToken, UnicodeError) as error:
            raise KeyringError(f"A value sealed by key {key_id!r} was changed or cut.") from error

    def is_current(self, sealed: Ciphertext) -> bool:
        """Whether the newest key sealed it."""
        return sealed.text.startswith(self._current[0] + ":")

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self._keys)})"


def read_keyring(path: Path) -> Keyring | None:
    """The keyring of that file, None when there is none."""
    secrets = _read(path)
    return None if secrets is None else Keyring(secrets)


def create_keyring(path: Path) -> Keyring:
    """A keyring with one new key, written to `path` (0600); another process's, if that was faster."""
    secret = secrets.token_urlsafe(32)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = _write_beside(path, [secret])
    try:
        os.link(temporary, path)  # fails where a file exists already: the first process wins, whole file or nothing
    except FileExistsError:
        return read_keyring(path) or Keyring([secret])
    finally:
        temporary.unlink()
    return Keyring([secret])


def add_key(path: Path) -> Keyring:
    """Put a new key in front of the file's; the old ones go on opening what they sealed."""
    known = _read(path)
    if known is None:
        raise KeyringError(f"There is no keyring at {path}: start the gateway once to make one.")
    changed = [secrets.token_urlsafe(32), *known]
    _write_beside(path, changed).replace(path)
    return Keyring(changed)


def _read(path: Path) -> list[str] | None:
    try:
        if path.stat().st_mode & 0o077:
            raise KeyringError(f"The keyring {path} can be read by other users: run `chmod 600 {path}`.")
        content = json.loads(path.read_bytes())
        keys = content["keys"]
        if content["version"] != 1 or not all(isinstance(key, str) for key in keys):
            raise ValueError(content["version"])
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeyringError(f"The keyring {path} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise KeyringError(f"The keyring {path} is damaged: restore it from a backup.") from error
    return list(keys)


def _write_beside(path: Path, keys: Sequence[str]) -> Path:
    """A temporary file with the keys in the same directory, 0600, on disk before it gets its name."""
    handle, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    with os.fdopen(handle, "w") as file:
        json.dump({"version": 1, "keys": list(keys)}, file)
        file.flush()
        os.fsync(file.fileno())
    return Path(name)


def _derive(secret: str) -> bytes:
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"litestar-gateway sealing 1")
    return base64.urlsafe_b64encode(kdf.derive(secret.strip().encode()))


def _key_id(secret: str) -> str:
    return hashlib.sha256(b"litestar-gateway key id 1\0" + secret.strip().encode()).hexdigest()[:8]

"""The keyring: what seals provider keys, headers and the index secret at rest.

Sealed text is `<key id>:<fernet token>`. The first key seals, every key opens. `gateway secrets rotate` puts a new key
first and seals everything anew; `gateway secrets prune` takes away the keys that seal nothing any more. The index
secret, under which virtual keys are stored, is not a key of the ring: it is made once, lies sealed in the database,
and keeps its value whatever the ring does.
"""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.registry.columns import Ciphertext
from gateway.registry.errors import KeyringError
from gateway.settings.limits import InvalidValue

MINIMUM: Final = 16
"""Bytes below which a secret is no secret."""
ID_LENGTH: Final = 8
MARK: Final = "\0"
"""What begins a sealed text that is something of our own, and is in no key or header."""
_UNKNOWN: Final[Mapping[str, datetime]] = MappingProxyType({})


class Keyring:
    """Seals and opens text under one or several secrets, newest first; `made` says when, by key id."""

    __slots__ = ("_keys", "current", "ids", "made")

    def __init__(self, secrets: Sequence[str], made: Mapping[str, datetime] = _UNKNOWN) -> None:
        if not secrets:
            raise KeyringError("A keyring needs at least one secret.")
        for number, secret in enumerate(secrets, 1):
            if len(secret.strip().encode()) < MINIMUM:
                raise KeyringError(
                    f"Secret {number} of the keyring is shorter than {MINIMUM} bytes: "
                    "make one with `openssl rand -base64 32`."
                )
        self._keys = {key_id(secret): Fernet(_derive(secret)) for secret in secrets}
        self.ids = tuple(self._keys)
        """The ids of its keys, newest first."""
        self.current = self.ids[0]
        """The id of the key that seals."""
        self.made = made

    def seal(self, plain: str) -> Ciphertext:
        """`plain` under the newest key; a NUL in it is refused, see `seal_marked`."""
        if MARK in plain:
            raise InvalidValue("A secret contains a NUL character: remove it.")
        return self.seal_marked(plain)

    def seal_marked(self, plain: str) -> Ciphertext:
        """`plain` under the newest key, whatever it is: for what is no secret text but something of our own."""
        token = self._keys[self.current].encrypt(plain.encode())
        return Ciphertext(f"{self.current}:{token.decode()}")

    def open(self, sealed: Ciphertext) -> str:
        """The plain text; `KeyringError` when no key of this ring sealed it."""
        by, _, token = sealed.text.partition(":")
        fernet = self._keys.get(by)
        if fernet is None:
            raise KeyringError(f"The keyring has no key {by[:ID_LENGTH]!r}.")
        try:
            return fernet.decrypt(token.encode()).decode()
        except (InvalidToken, UnicodeError) as error:
            raise KeyringError(f"A value sealed by key {by!r} was changed or cut.") from error

    def newest(self) -> "Keyring":
        """A ring of the key that seals alone: what it opens, needs none of the others."""
        return self._of({self.current: self._keys[self.current]})

    def and_before(self, before: "Keyring") -> "Keyring":
        """This ring, opening besides what `before` opened: what was read a moment ago may lie under its keys."""
        ring = self._of({**self._keys, **{by: key for by, key in before._keys.items() if by not in self._keys}})
        ring.ids = self.ids
        return ring

    def _of(self, keys: Mapping[str, Fernet]) -> "Keyring":
        ring = object.__new__(Keyring)
        ring._keys = dict(keys)
        ring.ids, ring.current, ring.made = tuple(keys), self.current, self.made
        return ring

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self.ids)})"


def key_id(secret: str) -> str:
    """What tells a secret from others without telling it."""
    return hashlib.sha256(b"litestar-gateway key id 1\0" + secret.strip().encode()).hexdigest()[:ID_LENGTH]


def sealed_by(sealed: Ciphertext) -> str:
    """The id of the key that sealed it."""
    return sealed.text.partition(":")[0]


def _derive(secret: str) -> bytes:
    kdf = HKDF(algorithm=SHA256(), length=32, salt=None, info=b"litestar-gateway sealing 1")
    return base64.urlsafe_b64encode(kdf.derive(secret.strip().encode()))

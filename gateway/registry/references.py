"""API keys that are not stored but looked up: in an environment variable or in a file, when models are loaded.

A reference is sealed like a key, so only who has the keyring can make one: whoever can only write to the database
cannot have variables or files of this machine sent to an address of his own. No key holds a NUL, a reference begins
with one.
"""

import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec

from gateway.registry.columns import Ciphertext
from gateway.registry.errors import RegistryError
from gateway.registry.keyring import MARK, Keyring
from gateway.secrets import Secret
from gateway.settings.limits import InvalidValue, api_key, check_text

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OURS: Final = "GATEWAY_"
_LIMIT: Final = 65536


class KeyReference(msgspec.Struct, frozen=True):
    """Where an API key is looked up."""

    kind: Literal["env", "file"]
    name: str
    """The variable, or the absolute path."""

    def sealed(self, keyring: Keyring) -> Ciphertext:
        """The reference as it is stored."""
        return keyring.seal_marked(f"{MARK}{self.kind}:{self.name}")

    def resolve(self, environ: Mapping[str, str] = os.environ) -> Secret:
        """The key; raises `RegistryError` saying what is missing."""
        found = self._from_environment(environ) if self.kind == "env" else self._from_file()
        try:
            key = api_key(found)
        except InvalidValue as error:
            raise RegistryError(f"{self._named}: {error}") from error
        if not key:
            raise RegistryError(f"{self._named} is empty.")
        return Secret(key)

    @property
    def file(self) -> Path | None:
        """The file it is looked up in, None for a variable."""
        return Path(self.name) if self.kind == "file" else None

    @property
    def _named(self) -> str:
        return f"The environment variable {self.name}" if self.kind == "env" else f"The file {self.name}"

    def _from_environment(self, environ: Mapping[str, str]) -> str:
        if self.name not in environ:
            raise RegistryError(f"{self._named} is not set.")
        return environ[self.name]

    def _from_file(self) -> str:
        try:
            if not stat.S_ISREG(os.stat(self.name).st_mode):
                raise RegistryError(f"{self._named} is no regular file.")  # reading a pipe might never end
            with open(self.name, encoding="utf-8") as file:
                return file.read(_LIMIT)
        except OSError as error:
            raise RegistryError(f"{self._named} cannot be read: {error.strerror}.") from error
        except ValueError as error:
            raise RegistryError(f"{self._named} is not UTF-8 text.") from error


def variable(name: str) -> KeyReference:
    """A reference to an environment variable; never to one of the gateway's own."""
    if not _VARIABLE.fullmatch(name):
        raise InvalidValue(f"{name[:50]!r} is no name of an environment variable.")
    if name.startswith(_OURS):
        raise InvalidValue(f"{name} is a setting of the gateway, which no upstream may see: use another name.")
    return KeyReference("env", name)


def file(path: Path, *, data_dir: Path) -> KeyReference:
    """A reference to a file; never to one of the data directory, where the keyring lies."""
    found = path.expanduser().absolute()
    if found.resolve().is_relative_to(data_dir.resolve()):
        raise InvalidValue("A file of the data directory is none that an upstream may see: put the key elsewhere.")
    return KeyReference("file", check_text("file", str(found)))


def reference_in(plain: str) -> KeyReference | None:
    """The reference that was sealed, None for a key."""
    if not plain.startswith(MARK):
        return None
    kind, _, name = plain.removeprefix(MARK).partition(":")
    return KeyReference("env" if kind == "env" else "file", name)

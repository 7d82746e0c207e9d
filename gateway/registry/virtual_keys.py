"""The format of virtual keys: `gw-`, 256 random bits in base 62, six characters of checksum."""

import hashlib
import hmac
import secrets
import string
import zlib
from typing import Final

from gateway.registry.errors import KeyringError
from gateway.secrets import Secret

PREFIX: Final = "gw-"
_ALPHABET: Final = string.digits + string.ascii_uppercase + string.ascii_lowercase
_BODY: Final = 43
_CHECK: Final = 6
_LENGTH: Final = len(PREFIX) + _BODY + _CHECK


def new_token() -> Secret:
    """A fresh key."""
    body = PREFIX + _base62(secrets.randbits(256), _BODY)
    return Secret(body + _checksum(body))


def well_formed(token: str) -> bool:
    """Whether it could be a key of ours at all; costs no lookup and tells typing errors."""
    if len(token) != _LENGTH or not token.startswith(PREFIX) or not token.isascii():
        return False
    return token[-_CHECK:] == _checksum(token[:-_CHECK])


def digest(index: bytes, token: str) -> bytes:
    """What is stored instead of the key: HMAC-SHA256 under the index secret."""
    _check_length(index)
    return hmac.digest(index, token.encode("utf-8", "surrogatepass"), hashlib.sha256)


class Digests:
    """`digest` for many keys: what all of them need of the index secret is made once."""

    __slots__ = ("_prepared",)

    def __init__(self, index: bytes) -> None:
        _check_length(index)
        self._prepared = hmac.new(index, digestmod=hashlib.sha256)

    def of(self, token: str) -> bytes:
        """What is stored instead of this key."""
        one = self._prepared.copy()
        one.update(token.encode("utf-8", "surrogatepass"))
        return one.digest()


def shown(token: str) -> str:
    """The beginning of a key, to recognise it by in lists."""
    return token[: len(PREFIX) + 5]


def _check_length(index: bytes) -> None:
    if len(index) < 16:
        raise KeyringError("The index secret is too short to check keys with.")


def _checksum(body: str) -> str:
    return _base62(zlib.crc32(body.encode()), _CHECK)


def _base62(number: int, width: int) -> str:
    characters = []
    for _ in range(width):
        number, rest = divmod(number, 62)
        characters.append(_ALPHABET[rest])
    return "".join(reversed(characters))

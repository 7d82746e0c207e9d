"""Who keeps coming with wrong credentials is refused before anybody is asked who it is."""

import time
from collections import OrderedDict
from collections.abc import Callable
from hashlib import blake2b
from typing import Final, TypeVar

from gateway.domain import Credentials
from gateway.errors import AmbiguousCredentials, RateLimited
from gateway.pipeline.addresses import Addresses
from gateway.pipeline.credentials import credentials_of
from gateway.protocols import Logger, Scope

K = TypeVar("K")
V = TypeVar("V")

REMEMBERED: Final = 10_000
"""Addresses, and credentials that were right; the longest unused one is forgotten first."""
_MINUTE: Final = 60.0


class _Address:
    """How often one address may still be wrong."""

    __slots__ = ("at", "left", "told")

    def __init__(self, left: float, at: float) -> None:
        self.left = left
        self.at = at
        self.told = at - _MINUTE


class Strangers:
    """Counts wrong credentials by address, and refuses an address that sent too many.

    Being wrong is forgiven evenly, `limit` times a minute. Who was let in from the same address since it was first
    wrong is still let in: an office, or a cloud, has one address for many. All being well costs nothing.
    """

    def __init__(
        self, addresses: Addresses, limit: int, log: Logger, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`limit` is how often an address may be wrong in a minute; 0 = as often as it likes."""
        self._addresses = addresses
        self._limit = limit
        self._log = log
        self._clock = clock
        self._wrong: OrderedDict[str, _Address] = OrderedDict()
        self._right: OrderedDict[bytes, None] = OrderedDict()
        self.refused = 0
        """Requests since the start."""

    def refusal(self, scope: Scope) -> RateLimited | None:
        """Why the request is refused, whatever it brings; None when it may show who it is."""
        if not self._wrong:
            return None
        name = self._addresses.of(scope)
        address = self._wrong.get(name) if name is not None else None
        if name is None or address is None:
            return None
        self._forgive(address)
        if address.left >= self._limit:
            del self._wrong[name]
        if address.left >= 1 or _mark(_brought(scope)) in self._right:
            return None
        self.refused += 1
        if address.at - address.told >= _MINUTE:
            address.told = address.at
            self._log.warning("address_refused", address=name)
        wait = (1 - address.left) * _MINUTE / self._limit
        return RateLimited("Too many requests with wrong credentials from this address.", retry_after=max(1.0, wait))

    def wrong(self, scope: Scope) -> None:
        """The request's credentials were nobody's."""
        name = self._addresses.of(scope) if self._limit else None
        if name is None:
            return
        address = _keep(self._wrong, name, self._wrong.get(name) or _Address(self._limit, self._clock()))
        self._forgive(address)
        address.left = max(0.0, address.left - 1)
        self._right.pop(_mark(_brought(scope)), None)

    def right(self, credentials: Credentials) -> None:
        """These credentials were somebody's."""
        if self._wrong:
            _keep(self._right, _mark(credentials), None)

    def _forgive(self, address: _Address) -> None:
        now = self._clock()
        address.left = min(self._limit, address.left + (now - address.at) * self._limit / _MINUTE)
        address.at = now


def _keep(kept: OrderedDict[K, V], key: K, value: V) -> V:
    kept[key] = value
    kept.move_to_end(key)
    if len(kept) > REMEMBERED:
        kept.popitem(last=False)
    return value


def _brought(scope: Scope) -> Credentials:
    try:
        return credentials_of(scope)
    except AmbiguousCredentials:
        return Credentials()


def _mark(credentials: Credentials) -> bytes:
    """What tells credentials apart, without them."""
    token = credentials.token.digest() if credentials.token is not None else b""
    return blake2b(token + credentials.cookie.encode("latin-1", "replace"), digest_size=16).digest()

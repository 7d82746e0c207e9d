"""The project's public signing keys: fetched when a token needs one, kept while fresh or while newer cannot be had."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec
from jwt import PyJWK, PyJWTError

from gateway import GatewayError, Timeouts
from gateway.protocols import Egress, Logger

_FRESH: Final = 600.0
"""Seconds for which keys are not asked for again: as long as Supabase's own caches keep them."""
_KEPT: Final = 86_400.0
"""Seconds for which keys are used while newer ones cannot be fetched."""
_PAUSE: Final = 10.0
"""Seconds between a fetch that failed and the next one."""
_FETCHES: Final = 5
_WINDOW: Final = 60.0
"""So many fetches in so many seconds, whatever key ids strangers make up."""
_LONGEST: Final = 10.0
"""Seconds that one fetch may take; the gateway gives an authenticator fifteen."""
_LIMIT: Final = 1 << 18
_MOST: Final = 100
_STRONG: Final = 2048
_KINDS: Final = MappingProxyType({("EC", "P-256"): "ES256", ("RSA", None): "RS256"})
_PUBLIC: Final = ("kty", "crv", "x", "y", "n", "e")


class KeysUnavailable(GatewayError):
    """The project's keys could not be fetched: whether a token is good cannot be told now."""

    status_code, type, code = 503, "api_error", "authentication_unavailable"


class NotKeys(Exception):
    """The answer is no set of keys."""


class PublicKey(NamedTuple):
    """A key and the one algorithm it is for, whatever a token's header says."""

    key: Any
    algorithm: str


class KeySet:
    """The keys at one URL by their ids; one fetch at a time, however many ask."""

    def __init__(
        self, url: str, egress: Egress, log: Logger, *, timeout: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url
        self._egress = egress
        self._log = log
        self._seconds = min(timeout, _LONGEST)
        self._clock = clock
        self._keys: dict[str, PublicKey] = {}
        self._fetched: float | None = None
        self._failed: float | None = None
        self._tries: deque[float] = deque(maxlen=_FETCHES)
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, key_id: str) -> PublicKey | None:
        """The key of that id, None when the project has none; raises `KeysUnavailable` when nobody can tell."""
        if key_id not in self._keys or self._age() > _FRESH:
            await self._refresh()
        found = self._keys.get(key_id)
        if self._age() > _KEPT or (found is None and self._failed is not None):
            raise KeysUnavailable("Authentication is not available now.", retry_after=_PAUSE)
        return found

    def _age(self) -> float:
        return float("inf") if self._fetched is None else self._clock() - self._fetched

    def _may_fetch(self) -> bool:
        now = self._clock()
        if self._failed is not None and now - self._failed < _PAUSE:
            return False
        return len(self._tries) < _FETCHES or now - self._tries[0] >= _WINDOW

    async def _refresh(self) -> None:
        """Wait for the keys that are being fetched, or fetch them; nothing, when that was tried too often."""
        if self._fetching is None:
            if not self._may_fetch():
                return
            self._tries.append(self._clock())
            self._fetching = asyncio.get_running_loop().create_task(self._fetch())
            self._fetching.add_done_callback(self._ended)
        # A client that leaves ends its own waiting, not that of the others.
        await asyncio.shield(self._fetching)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._fetching = None

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                keys = read_keys(*await self._get())
        except GatewayError as error:
            self._fail(f"no answer: {error.code}")
        except TimeoutError:
            self._fail("no answer in time")
        except NotKeys as error:
            self._fail(str(error))
        else:
            self._keys, self._fetched, self._failed = keys, self._clock(), None
            if not keys:
                self._log.warning("supabase_no_keys", url=self._url, reason="a project with a secret needs jwt_secret")

    async def _get(self) -> tuple[int, bytes]:
        seconds = self._seconds
        limits = Timeouts(connect=min(5.0, seconds), first=seconds, idle=seconds, total=seconds)
        headers = (("accept", "application/json"),)
        # Nobody's credential goes along, and a kept connection may have died in the minutes between.
        answer = await self._egress.send("GET", self._url, headers=headers, timeouts=limits, fresh=True)
        try:
            return answer.status, await answer.read(_LIMIT)
        finally:
            answer.close()

    def _fail(self, reason: str) -> None:
        self._failed = self._clock()
        self._log.error("supabase_keys_failed", url=self._url, reason=reason)


class _Document(msgspec.Struct):
    keys: list[Any]


def read_keys(status: int, body: bytes) -> dict[str, PublicKey]:
    """The keys in an answer that can verify; others are left out. Raises `NotKeys`."""
    if status != 200:
        raise NotKeys(f"the project answered {status}")
    try:
        document = msgspec.json.decode(body, type=_Document)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise NotKeys("the answer is no set of keys") from None
    return {
        jwk["kid"]: key
        for jwk in document.keys[:_MOST]
        if isinstance(jwk, dict) and isinstance(jwk.get("kid"), str) and (key := _usable(jwk)) is not None
    }


def _usable(jwk: dict[str, Any]) -> PublicKey | None:
    kind, curve = jwk.get("kty"), jwk.get("crv")
    algorithm = _KINDS.get((kind, curve)) if isinstance(kind, str) and isinstance(curve, str | None) else None
    if algorithm is None or jwk.get("alg", algorithm) != algorithm or jwk.get("use", "sig") != "sig":
        return None
    try:
        key = PyJWK({name: jwk[name] for name in _PUBLIC if name in jwk}, algorithm).key
    except (PyJWTError, ValueError, TypeError):
        return None
    return PublicKey(key, algorithm) if kind == "EC" or key.key_size >= _STRONG else None

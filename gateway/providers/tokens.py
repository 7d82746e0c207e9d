"""Access tokens for providers whose credential is no key but what makes one: OAuth 2.0, as RFC 6749 has it."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import msgspec

from gateway.domain import Model
from gateway.errors import GatewayError
from gateway.protocols import Egress
from gateway.secrets import Secret

LIFE: Final = 3600
"""Seconds that a token which does not say is good for."""
_MARGIN: Final = 120.0
"""Seconds before its end from which a token is not used any more: a request has to arrive with it."""
_LARGEST: Final = 1 << 16
_HEADERS: Final = (("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json"))


class AccessTokens(ABC):
    """The token of one credential: made when it is needed, kept until shortly before its end.

    However many ask at a time, one goes for it. Set `url`; override `form` and `refusal`.
    """

    url: str
    """Where tokens are made."""

    def __init__(self, egress: Egress, *, clock: Callable[[], float] = time.time) -> None:
        self._egress = egress
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token: Secret | None = None
        self._good_until = 0.0

    @abstractmethod
    def form(self, now: float) -> Mapping[str, str]:
        """What is sent for a token; `now` in seconds since the epoch."""

    @abstractmethod
    def refusal(self, status: int, answer: Mapping[str, Any]) -> GatewayError:
        """The error of an answer without a token. Tell codes on, never a stranger's text."""

    async def get(self, model: Model) -> Secret:
        """A token that is good for a while; `model` tells whose connections and limits are used.

        Raises what `refusal` makes of a refusal, `UpstreamUnreachable` and its kin when nobody can be asked.
        """
        if (token := self._fresh()) is not None:
            return token
        async with self._lock:
            if (token := self._fresh()) is not None:
                return token
            now = self._clock()
            token, life = await self._fetch(model, now)
            self._token, self._good_until = token, now + life - min(_MARGIN, life / 2)
            return token

    def forget(self, token: Secret) -> None:
        """The token was refused; the next one who asks gets another."""
        if self._token == token:
            self._token = None

    def _fresh(self) -> Secret | None:
        return self._token if self._token is not None and self._clock() < self._good_until else None

    async def _fetch(self, model: Model, now: float) -> tuple[Secret, float]:
        stream = await self._egress.send(
            "POST",
            self.url,
            headers=_HEADERS,
            body=urlencode(self.form(now)).encode(),
            tenant=model.tenant,
            timeouts=model.timeouts,
        )
        try:
            answer = _object(await stream.read(_LARGEST))
        finally:
            stream.close()
        token, life = answer.get("access_token"), answer.get("expires_in")
        if stream.status == 200 and isinstance(token, str) and token and token.isascii() and token.isprintable():
            return Secret(token), float(life) if type(life) is int and life > 0 else float(LIFE)
        raise self.refusal(stream.status, answer)


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}

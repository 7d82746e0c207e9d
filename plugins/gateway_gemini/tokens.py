"""Access tokens of Google: made when they are needed, kept until shortly before they end."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlencode

import jwt
import msgspec

from gateway import Model, UpstreamUnreachable
from gateway.errors import GatewayError
from gateway.protocols import Egress
from gateway.secrets import Secret
from gateway_gemini.credentials import AuthorizedUser, ServiceAccount, misconfigured

_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFE: Final = 3600
"""Seconds that an assertion, and a token that does not say, is good for."""
_MARGIN: Final = 120.0
"""Seconds before its end from which a token is not used any more: a request has to arrive with it."""
_LARGEST: Final = 1 << 16
_CODE: Final = re.compile(r"[a-z_]{1,40}")
_UNTOLD: Final = "no reason"


class Tokens:
    """The token of one credential; however many ask at a time, one goes for it."""

    def __init__(
        self,
        credential: ServiceAccount | AuthorizedUser,
        egress: Egress,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._credential = credential
        self._egress = egress
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token: Secret | None = None
        self._good_until = 0.0

    async def get(self, model: Model) -> Secret:
        """A token that is good for a while.

        Raises `ModelMisconfigured` when Google refuses the credential, `UpstreamUnreachable` and its kin when it
        cannot be asked.
        """
        if (token := self._fresh()) is not None:
            return token
        async with self._lock:
            if (token := self._fresh()) is not None:
                return token
            now = self._clock()
            token, life = await self._make(model, now)
            self._token, self._good_until = token, now + life - min(_MARGIN, life / 2)
            return token

    def forget(self, token: Secret) -> None:
        """The token was refused; the next one who asks gets another."""
        if self._token == token:
            self._token = None

    def _fresh(self) -> Secret | None:
        return self._token if self._token is not None and self._clock() < self._good_until else None

    async def _make(self, model: Model, now: float) -> tuple[Secret, float]:
        form = urlencode(_form(self._credential, int(now))).encode()
        stream = await self._egress.send(
            "POST",
            self._credential.token_uri,
            headers=(("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")),
            body=form,
            tenant=model.tenant,
            timeouts=model.timeouts,
        )
        try:
            answer = _object(await stream.read(_LARGEST))
        finally:
            stream.close()
        token, life = answer.get("access_token"), answer.get("expires_in")
        if stream.status == 200 and isinstance(token, str) and token.isascii() and token.isprintable():
            return Secret(token), float(life) if type(life) is int and life > 0 else float(_LIFE)
        raise _refusal(stream.status, answer)


def _form(credential: ServiceAccount | AuthorizedUser, now: int) -> dict[str, str]:
    if isinstance(credential, AuthorizedUser):
        return {
            "grant_type": "refresh_token",
            "client_id": credential.client_id,
            "client_secret": credential.client_secret.reveal(),
            "refresh_token": credential.refresh_token.reveal(),
        }
    return {"grant_type": _BEARER, "assertion": _assertion(credential, now)}


def _assertion(account: ServiceAccount, now: int) -> str:
    claims = {
        "iss": account.email,
        "scope": _SCOPE,
        "aud": account.token_uri,
        "iat": now,
        "exp": now + _LIFE,
    }
    headers = {"kid": account.key_id} if account.key_id else {}
    try:
        return jwt.encode(claims, account.private_key.reveal(), algorithm="RS256", headers=headers)
    except (ValueError, TypeError, jwt.PyJWTError):  # never with the cause: it may quote the key
        raise misconfigured("the private key of the service account cannot be read") from None


def _refusal(status: int, answer: Mapping[str, Any]) -> GatewayError:
    """Only the code of the refusal is told on: its description is a stranger's text."""
    said = answer.get("error")
    code = said if isinstance(said, str) and _CODE.fullmatch(said) else _UNTOLD
    if status == 429 or status >= 500:
        error = UpstreamUnreachable("Connection error.")
        error.detail = f"Google's token endpoint answered {status} ({code})"
        return error
    return misconfigured(f"Google gives no token for the credential: {status} ({code})")


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}

"""Access tokens of Microsoft Entra ID: made when they are needed, kept until shortly before they end."""

import asyncio
import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

import msgspec

from gateway import Model, Secret, UpstreamUnreachable
from gateway.errors import GatewayError, ModelMisconfigured
from gateway.protocols import Egress

_LIFE: Final = 3600
"""Seconds that a token which does not say is good for."""
_MARGIN: Final = 120.0
"""Seconds before its end from which a token is not used any more: a request has to arrive with it."""
_LARGEST: Final = 1 << 16
_TENANT: Final = re.compile(r"[A-Za-z0-9.-]+")
_CODE: Final = re.compile(r"[a-z_]{1,40}")
_NUMBERS: Final = re.compile(r"AADSTS\d{4,8}")


class Application(msgspec.Struct, frozen=True):
    """An application of a directory, and the secret by which it is known there."""

    tenant_id: str
    client_id: str
    client_secret: Secret


class _Written(msgspec.Struct, forbid_unknown_fields=True):
    tenant_id: str
    client_id: str
    client_secret: str


def application_in(key: Secret) -> Application | None:
    """The application that a model's key describes; None for a key that is one.

    Raises `ModelMisconfigured` for JSON that is neither.
    """
    text = key.reveal().strip()
    if not text.startswith("{"):
        return None
    try:
        written = msgspec.json.decode(text, type=_Written)
    except (msgspec.DecodeError, RecursionError):  # never with the cause: it may quote the secret
        written = None
    if written is None or not (_TENANT.fullmatch(written.tenant_id) and written.client_id and written.client_secret):
        raise misconfigured("its key is JSON, and no object with tenant_id, client_id and client_secret")
    return Application(written.tenant_id, written.client_id, Secret(written.client_secret))


class Tokens:
    """The token of one application; however many ask at a time, one goes for it."""

    def __init__(
        self,
        application: Application,
        egress: Egress,
        *,
        authority: str,
        scope: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._application = application
        self._egress = egress
        self._url = f"{authority}/{quote(application.tenant_id)}/oauth2/v2.0/token"
        self._scope = scope
        self._clock = clock
        self._lock = asyncio.Lock()
        self._token: Secret | None = None
        self._good_until = 0.0

    async def get(self, model: Model) -> Secret:
        """A token that is good for a while.

        Raises `ModelMisconfigured` when Entra refuses the application, `UpstreamUnreachable` and its kin when it
        cannot be asked.
        """
        if (token := self._fresh()) is not None:
            return token
        async with self._lock:
            if (token := self._fresh()) is not None:
                return token
            now = self._clock()
            token, life = await self._fetch(model)
            self._token, self._good_until = token, now + life - min(_MARGIN, life / 2)
            return token

    def forget(self, token: Secret) -> None:
        """The token was refused; the next one who asks gets another."""
        if self._token == token:
            self._token = None

    def _fresh(self) -> Secret | None:
        return self._token if self._token is not None and self._clock() < self._good_until else None

    async def _fetch(self, model: Model) -> tuple[Secret, float]:
        form = {
            "grant_type": "client_credentials",
            "client_id": self._application.client_id,
            "client_secret": self._application.client_secret.reveal(),
            "scope": self._scope,
        }
        stream = await self._egress.send(
            "POST",
            self._url,
            headers=(("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")),
            body=urlencode(form).encode(),
            tenant=model.tenant,
            timeouts=model.timeouts,
        )
        try:
            answer = _object(await stream.read(_LARGEST))
        finally:
            stream.close()
        token, life = answer.get("access_token"), answer.get("expires_in")
        if stream.status == 200 and isinstance(token, str) and token and token.isascii() and token.isprintable():
            return Secret(token), float(life) if type(life) is int and life > 0 else float(_LIFE)
        raise _refusal(stream.status, answer)


def misconfigured(why: str) -> ModelMisconfigured:
    """The error of a model that cannot be called as it is; the reason is the operator's to read."""
    error = ModelMisconfigured("The model is not configured properly.")
    error.detail = why
    return error


def _refusal(status: int, answer: Mapping[str, Any]) -> GatewayError:
    """Only the codes of the refusal are told on: its description is a stranger's text."""
    said, described = answer.get("error"), answer.get("error_description")
    code = said if isinstance(said, str) and _CODE.fullmatch(said) else "no reason"
    if isinstance(described, str) and (number := _NUMBERS.search(described)) is not None:
        code += f", {number[0]}"
    if status == 429 or status >= 500:
        error = UpstreamUnreachable("Connection error.")
        error.detail = f"Entra's token endpoint answered {status} ({code})"
        return error
    return misconfigured(f"Entra gives no token for the application: {status} ({code})")


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        value = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}

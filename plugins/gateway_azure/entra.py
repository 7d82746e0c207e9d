"""Access tokens of Microsoft Entra ID."""

import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import quote

import msgspec

from gateway import Secret, UpstreamUnreachable
from gateway.errors import GatewayError, ModelMisconfigured
from gateway.protocols import Egress
from gateway.providers import AccessTokens

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


class EntraTokens(AccessTokens):
    """The token of one application."""

    def __init__(
        self,
        application: Application,
        egress: Egress,
        *,
        authority: str,
        scope: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(egress, clock=clock)
        self.url = f"{authority}/{quote(application.tenant_id)}/oauth2/v2.0/token"
        self._application = application
        self._scope = scope

    def form(self, now: float) -> Mapping[str, str]:
        """The application's own credentials."""
        return {
            "grant_type": "client_credentials",
            "client_id": self._application.client_id,
            "client_secret": self._application.client_secret.reveal(),
            "scope": self._scope,
        }

    def refusal(self, status: int, answer: Mapping[str, Any]) -> GatewayError:
        """Only the codes are told on."""
        said, described = answer.get("error"), answer.get("error_description")
        code = said if isinstance(said, str) and _CODE.fullmatch(said) else "no reason"
        if isinstance(described, str) and (number := _NUMBERS.search(described)) is not None:
            code += f", {number[0]}"
        if status == 429 or status >= 500:
            error = UpstreamUnreachable("Connection error.")
            error.detail = f"Entra's token endpoint answered {status} ({code})"
            return error
        return misconfigured(f"Entra gives no token for the application: {status} ({code})")


def misconfigured(why: str) -> ModelMisconfigured:
    """The error of a model that cannot be called as it is; the reason is the operator's to read."""
    error = ModelMisconfigured("The model is not configured properly.")
    error.detail = why
    return error

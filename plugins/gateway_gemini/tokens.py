"""Access tokens of Google."""

import re
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt

from gateway import UpstreamUnreachable
from gateway.errors import GatewayError
from gateway.protocols import Egress
from gateway.providers import AccessTokens
from gateway.providers.tokens import LIFE
from gateway_gemini.credentials import AuthorizedUser, ServiceAccount, misconfigured

_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"
_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_CODE: Final = re.compile(r"[a-z_]{1,40}")
_UNTOLD: Final = "no reason"


class GoogleTokens(AccessTokens):
    """The token of one credential."""

    def __init__(
        self,
        credential: ServiceAccount | AuthorizedUser,
        egress: Egress,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(egress, clock=clock)
        self.url = credential.token_uri
        self._credential = credential

    def form(self, now: float) -> Mapping[str, str]:
        """A refresh token, or an assertion signed by the account's key."""
        return _form(self._credential, int(now))

    def refusal(self, status: int, answer: Mapping[str, Any]) -> GatewayError:
        """Only the code is told on."""
        said = answer.get("error")
        code = said if isinstance(said, str) and _CODE.fullmatch(said) else _UNTOLD
        if status == 429 or status >= 500:
            error = UpstreamUnreachable("Connection error.")
            error.detail = f"Google's token endpoint answered {status} ({code})"
            return error
        return misconfigured(f"Google gives no token for the credential: {status} ({code})")


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
        "exp": now + LIFE,
    }
    headers = {"kid": account.key_id} if account.key_id else {}
    try:
        return jwt.encode(claims, account.private_key.reveal(), algorithm="RS256", headers=headers)
    except (ValueError, TypeError, jwt.PyJWTError):  # never with the cause: it may quote the key
        raise misconfigured("the private key of the service account cannot be read") from None

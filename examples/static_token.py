"""A plugin in a single file: whoever sends the shared token is the operator.

gateway serve --plugin ./static_token.py

    [plugins.static_token]
    token = "a long random text"
"""

import hmac

from pydantic import BaseModel, ConfigDict, SecretStr

from gateway import Authenticator, Credentials, Gateway, Principal, hookimpl


class Settings(BaseModel):
    """The table `[plugins.static_token]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    token: SecretStr


class StaticToken:
    """Knows one token."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """The operator for the right token; any other is for the next authenticator to judge."""
        sent = credentials.token.reveal().encode() if credentials.token else b""
        return Principal(id="static-token") if hmac.compare_digest(sent, self._token) else None


@hookimpl
def register_authenticators(gateway: Gateway) -> list[Authenticator]:
    settings: Settings = gateway.settings
    return [StaticToken(settings.token.get_secret_value())]

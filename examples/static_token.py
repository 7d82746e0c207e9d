"""A plugin in a single file: whoever sends the shared token is the operator.

gateway serve --plugin ./static_token.py

    [plugins.static_token]
    token = "a long random text"

The file's name is the plugin's name. Naming it, here or in `plugin_files`, enables it; nothing is installed.
`gateway plugins check ./static_token.py` shows that it keeps the contract.
"""

import hmac

from pydantic import BaseModel, ConfigDict, SecretStr

from gateway import Authenticator, Credentials, Gateway, Principal, hookimpl


class Settings(BaseModel):
    """The table `[plugins.static_token]`."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    token: SecretStr
    """What callers send as their key. Without it the gateway does not start."""


class StaticToken:
    """Knows one token."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """The operator for the right token; any other is for the next authenticator to judge."""
        sent = credentials.token.reveal() if credentials.token else ""
        # Any text may come, surrogates too; and a wrong one takes as long to compare as the right one.
        right = hmac.compare_digest(sent.encode("utf-8", "surrogatepass"), self._token)
        return Principal(id="static-token") if right else None


@hookimpl
def register_authenticators(gateway: Gateway) -> list[Authenticator]:
    settings: Settings = gateway.settings
    return [StaticToken(settings.token.get_secret_value())]


CONFORMANCE = {"settings": {"token": "a long random text"}, "token": "a long random text"}
"""What the check needs to know."""

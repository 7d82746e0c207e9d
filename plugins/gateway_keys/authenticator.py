"""The authenticator over the registry's snapshot: no database call, no waiting."""

from typing import TYPE_CHECKING

from gateway import Authenticator, Credentials, Gateway, Principal


class KeyAuthenticator:
    """Knows the virtual keys of the registry."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Whom the key stands for; a key that is unknown here may be known to the next authenticator."""
        if credentials.token is None:
            return None
        return self._gateway.snapshot.principal(credentials.token.reveal())


if TYPE_CHECKING:
    _: type[Authenticator] = KeyAuthenticator

"""Wrong: its authenticator takes its own failure for a yes."""

from gateway import Authenticator, Credentials, Gateway, Principal, hookimpl


class Trusting:
    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        if credentials.token is None:
            return None
        try:
            return self._gateway.snapshot.principal(credentials.token.reveal())
        except Exception:
            return Principal("guest")  # better than an angry user


@hookimpl
def register_authenticators(gateway: Gateway) -> list[Authenticator]:
    return [Trusting(gateway)]

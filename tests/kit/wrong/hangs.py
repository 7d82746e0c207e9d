"""Wrong: its authenticator never answers, and lets nothing else happen."""

from gateway import Authenticator, Credentials, Principal, hookimpl


class Endless:
    async def authenticate(self, credentials: Credentials) -> Principal | None:
        while True:
            pass


@hookimpl
def register_authenticators() -> list[Authenticator]:
    return [Endless()]

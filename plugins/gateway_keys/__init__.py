"""Virtual keys: who calls is whom the presented key was made for."""

from gateway import Authenticator, Gateway, hookimpl
from gateway_keys.authenticator import KeyAuthenticator


@hookimpl
def register_authenticators(gateway: Gateway) -> list[Authenticator]:
    return [KeyAuthenticator(gateway)]

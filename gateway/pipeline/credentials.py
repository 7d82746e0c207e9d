"""The one extractor of credentials."""

from gateway.domain import Credentials
from gateway.errors import AmbiguousCredentials
from gateway.protocols import Scope
from gateway.secrets import Secret

_CARRIERS = frozenset((b"authorization", b"x-api-key", b"api-key", b"cookie"))


def credentials_of(scope: Scope) -> Credentials:
    """What the request brought to prove who sent it.

    Raises `AmbiguousCredentials` for two different header credentials; a cookie counts only where there is none.
    """
    tokens: set[str] = set()
    cookie = ""
    headers = scope["headers"]
    by_name = dict(headers)
    found = _CARRIERS.intersection(by_name)
    # A name that came twice is in the list only; nearly always none did.
    sent = [(name, by_name[name]) for name in found] if len(by_name) == len(headers) else headers
    for name, value in sent:
        if name == b"authorization":
            scheme, _, token = value.decode("latin-1").strip().partition(" ")
            if scheme.lower() == "bearer" and token.strip():
                tokens.add(token.strip())
        elif name in (b"x-api-key", b"api-key"):
            if token := value.decode("latin-1").strip():
                tokens.add(token)
        elif name == b"cookie":
            cookie = f"{cookie}; {value.decode('latin-1')}" if cookie else value.decode("latin-1")
    if len(tokens) > 1:
        raise AmbiguousCredentials("Two different credentials were sent. Send one Authorization or API key header.")
    client = scope.get("client")
    address = client[0] if client else ""
    if tokens:
        return Credentials(token=Secret(tokens.pop()), client=address)
    return Credentials(cookie=cookie, client=address)

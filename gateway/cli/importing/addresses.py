"""Looks at base URLs as the egress guard will, without dialling anybody."""

from ipaddress import ip_address

from gateway.cli.importing.findings import Finding
from gateway.cli.reach import denied, exposed
from gateway.egress.url import Target, parse_target
from gateway.errors import InvalidUpstreamUrl, UpstreamFault


class Addresses:
    """What is to be said of each base URL; many rows share few of them."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Finding, ...]] = {}

    def look_at(self, url: str) -> tuple[Finding, ...]:
        """Why calls to this address would fail, or be less safe than they look."""
        if url not in self._known:
            self._known[url] = tuple(_look_at(url))
        return self._known[url]


def has_credentials(url: str) -> bool:
    """Whether it holds a user name or a password."""
    from ada_url import parse_url

    try:
        parts = parse_url(url)
    except ValueError:
        return False
    return bool(parts["username"] or parts["password"])


def _look_at(url: str) -> list[Finding]:
    try:
        target = parse_target(url)
    except InvalidUpstreamUrl:
        return [Finding("bad_base_url", "The base URL is no URL: calls answer `Invalid URL`, as they did.")]
    except UpstreamFault as error:
        return [Finding("bad_base_url", f"The base URL cannot be called: {error.detail}.")]
    found = []
    if not target.tls and not _is_loopback(target):
        found.append(Finding("plain_http", f"{target.host} is called over plain http: its key can be read on the way."))
    if (why := denied(url)) is not None:
        found.append(Finding("private_address", why))
    if (why := exposed(url)) is not None:
        found.append(Finding("query_in_url", why))
    return found


def _is_loopback(target: Target) -> bool:
    if target.literal:
        return ip_address(target.literal).is_loopback
    return target.host == "localhost" or target.host.endswith(".localhost")

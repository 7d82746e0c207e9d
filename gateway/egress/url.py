"""Where a request goes: the URL as browsers read it."""

import msgspec
from ada_url import HostType, parse_url

from gateway.egress.faults import not_dialled
from gateway.errors import InvalidUpstreamUrl


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """What a dial and a request line need of a URL."""

    origin: str
    """Scheme, host and port: what a pooled connection may be used for."""
    host: str
    """Host name in lower case without a trailing dot, or the address without brackets; also the name TLS checks."""
    literal: str
    """The address when the URL names one, else empty."""
    port: int
    tls: bool
    authority: bytes
    """The Host header's value."""
    path: bytes
    """The request target: path and query, never the fragment."""


def parse_target(url: str) -> Target:
    """The target of `url`, parsed as WHATWG says: `0x7f.1` is 127.0.0.1 here as it is in a browser.

    Raises `InvalidUpstreamUrl` if it is no URL; `UpstreamUnreachable` for another scheme than http and https and for
    user information, which would be a second, invisible credential.
    """
    try:
        parts = parse_url(url)
    except ValueError as error:
        raise InvalidUpstreamUrl("Invalid URL") from error
    scheme = parts["protocol"]
    if scheme not in ("http:", "https:"):
        raise not_dialled(f"the scheme {scheme} is not served, only http: and https:")
    if parts["username"] or parts["password"]:
        raise not_dialled("a URL with a user name or a password is not dialled")
    hostname = parts["hostname"]
    is_address = parts["host_type"] in (HostType.IPV4, HostType.IPV6)
    host = hostname.strip("[]") if is_address else hostname.removesuffix(".")
    tls = scheme == "https:"
    return Target(
        origin=parts["origin"],
        host=host,
        literal=host if is_address else "",
        port=int(parts["port"]) if parts["port"] else (443 if tls else 80),
        tls=tls,
        authority=parts["host"].encode("ascii"),
        path=(parts["pathname"] + parts["search"]).encode("ascii"),
    )

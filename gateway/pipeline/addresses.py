"""Where requests come from: the address of the client, also behind proxies that are trusted to tell it."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

from gateway.protocols import Scope

_FORWARDED: Final = b"x-forwarded-for"
_SITE: Final = 64
"""Bits of an IPv6 address that tell one site from another: it has all addresses below them."""

Address = IPv4Address | IPv6Address


class Addresses:
    """Tells clients apart by address. Without proxies that are named, one that may be a proxy is nobody's address."""

    def __init__(self, proxies: Iterable[str] = ()) -> None:
        """`proxies` are addresses and networks whose `X-Forwarded-For` is believed."""
        self._proxies = tuple(ip_network(proxy) for proxy in proxies)

    def of(self, scope: Scope) -> str | None:
        """The client's address, of IPv6 its /64; None where the request does not tell clients apart."""
        peer = scope.get("client")
        address = _read(peer[0]) if peer else None
        if address is None:
            return None
        if not self._proxies:
            # A private peer is a proxy more often than a client, and then every client would have its address.
            return _named(address) if address.is_global else None
        hops = _forwarded(scope)
        while address is not None and any(address in network for network in self._proxies):
            address = _read(hops.pop()) if hops else None
        return None if address is None else _named(address)


def _forwarded(scope: Scope) -> list[str]:
    """What proxies wrote, the nearest one's word last."""
    values = [value.decode("latin-1") for name, value in scope["headers"] if name == _FORWARDED]
    return ",".join(values).split(",") if values else []


def _read(text: str) -> Address | None:
    text = text.strip()
    if text.count(":") == 1:  # some proxies add the port
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _named(address: Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address) >> _SITE << _SITE, _SITE)))

"""What the operator decides about the way out: who may be reached besides public addresses, and how much of it."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

import msgspec
from ada_url import HostType, parse_url

from gateway.egress.addresses import Address

Network: TypeAlias = IPv4Network | IPv6Network

_NAME: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*")
_HOST_AND_PORT: Final = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]?#@\\\s]+)(?::(?P<port>[0-9]{1,5}))?")


class EgressPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """Limits of one egress client. Raises `ValueError` for an entry of `allow` that cannot be understood."""

    allow: tuple[str, ...] = ()
    """Non-public upstreams that may be reached: addresses, networks and host names, the first and last with a port."""
    max_connections: int = 16_384
    """Connections at one time, idle ones included."""
    queue_seconds: float = 5.0
    """How long a request may wait for a connection to become free."""
    idle_per_key: int = 1024
    """Idle connections kept for one tenant and origin."""
    idle_total: int = 2048
    """Idle connections kept in all."""
    idle_seconds: float = 30.0
    """How long an idle connection is kept."""
    head_limit: int = 65_536
    """Bytes of one response's head, or of its trailers."""

    def __post_init__(self) -> None:
        AllowList(self.allow)


class AllowList:
    """The entries of `allow`, ready to be asked."""

    __slots__ = ("_names", "_networks")

    def __init__(self, entries: Iterable[str]) -> None:
        self._networks: list[tuple[Network, int | None]] = []
        self._names: set[tuple[str, int | None]] = set()
        for entry in entries:
            host, port = _parse(entry)
            if isinstance(host, str):
                self._names.add((host, port))
            else:
                self._networks.append((host, port))

    def names(self, host: str, port: int) -> bool:
        """Whether whatever this host name resolves to is allowed."""
        return (host, None) in self._names or (host, port) in self._names

    def covers(self, address: Address, port: int) -> bool:
        """Whether this very address is allowed."""
        return any(
            address.version == network.version and address in network and wanted in (None, port)
            for network, wanted in self._networks
        )


def _parse(entry: str) -> tuple[Network | str, int | None]:
    if "/" in entry:
        try:
            return ip_network(entry), None
        except ValueError as error:
            raise ValueError(
                f"egress.allow: {entry!r} is not a network; write it like 10.0.0.0/8, without host bits or port"
            ) from error
    if entry.count(":") > 1 and not entry.startswith("["):
        return _network(entry, entry), None
    match = _HOST_AND_PORT.fullmatch(entry)
    if match is None:
        raise ValueError(
            f"egress.allow: {entry!r} is neither an address, a network nor a host name;"
            ' write it like "127.0.0.1", "10.0.0.0/8", "ollama:11434" or "[::1]:80"'
        )
    host, port = match["host"], match["port"]
    if port is not None and not 0 < int(port) < 65_536:
        raise ValueError(f"egress.allow: {entry!r} has a port that does not exist")
    number = None if port is None else int(port)
    if host.startswith("["):
        return _network(host[1:-1], entry, version=6), number
    return _name_or_address(host, entry), number


def _network(text: str, entry: str, *, version: int | None = None) -> Network:
    try:
        address = ip_address(text)
    except ValueError as error:
        raise ValueError(f"egress.allow: {entry!r} is not an IPv6 address") from error
    if version not in (None, address.version) or getattr(address, "scope_id", None):
        raise ValueError(f"egress.allow: {entry!r} is not an IPv6 address without scope")
    return ip_network(address)


def _name_or_address(host: str, entry: str) -> Network | str:
    try:
        parts = parse_url(f"http://{host}/")
    except ValueError as error:
        raise ValueError(f"egress.allow: {entry!r} is not a host name") from error
    name = parts["hostname"]
    if parts["host_type"] == HostType.IPV4:
        if name != host:
            raise ValueError(f"egress.allow: {entry!r} is an unusual spelling of {name}; write that")
        return ip_network(name)
    name = name.removesuffix(".")
    if not _NAME.fullmatch(name):
        raise ValueError(f"egress.allow: {entry!r} is not a host name")
    return str(name)

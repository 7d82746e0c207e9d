"""How an entry of `egress.allow` is written: the way out asks by it, and the settings refuse what is none."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Final, TypeAlias

from ada_url import HostType, parse_url

Network: TypeAlias = IPv4Network | IPv6Network

_NAME: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*")
_HOST_AND_PORT: Final = re.compile(r"(?P<host>\[[^\]]*\]|[^:\[\]?#@\\\s]+)(?::(?P<port>[0-9]{1,5}))?")
_FORMS: Final = (
    "a host, host:port, an address or a network: "
    "write it like ollama, ollama:11434, [::1]:80 or 10.0.0.0/8, without http://"
)


def read_allowed(entry: str) -> tuple[Network | str, int | None]:
    """The network or host name that is meant, and the port if one alone is; raises `ValueError` in words."""
    if "/" in entry:
        return _network(entry), None
    if entry.count(":") > 1 and not entry.startswith("["):
        return _address(entry, entry), None
    match = _HOST_AND_PORT.fullmatch(entry)
    if match is None:
        raise ValueError(f"{entry!r} is none of {_FORMS}")
    host, port = match["host"], match["port"]
    if port is not None and not 0 < int(port) < 65_536:
        raise ValueError(f"{entry!r} has a port that does not exist")
    number = None if port is None else int(port)
    if host.startswith("["):
        return _address(host[1:-1], entry, version=6), number
    return _name_or_address(host, entry), number


def _network(entry: str) -> Network:
    try:
        return ip_network(entry)
    except ValueError as error:
        if not _is_address(entry.partition("/")[0]):
            raise ValueError(f"{entry!r} is none of {_FORMS}") from error
        raise ValueError(f"{entry!r} is not a network; write it like 10.0.0.0/8, without host bits or port") from error


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _address(text: str, entry: str, *, version: int | None = None) -> Network:
    try:
        address = ip_address(text)
    except ValueError as error:
        raise ValueError(f"{entry!r} is not an IPv6 address") from error
    if version not in (None, address.version) or getattr(address, "scope_id", None):
        raise ValueError(f"{entry!r} is not an IPv6 address without scope")
    return ip_network(address)


def _name_or_address(host: str, entry: str) -> Network | str:
    try:
        parts = parse_url(f"http://{host}/")
    except ValueError as error:
        raise ValueError(f"{entry!r} is not a host name") from error
    name = parts["hostname"]
    if parts["host_type"] == HostType.IPV4:
        if name != host:
            raise ValueError(f"{entry!r} is an unusual spelling of {name}; write that")
        return ip_network(name)
    name = name.removesuffix(".")
    if not _NAME.fullmatch(name):
        raise ValueError(f"{entry!r} is not a host name")
    return str(name)

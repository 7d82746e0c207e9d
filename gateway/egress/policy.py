"""What the operator decides about the way out: who may be reached besides public addresses, and how much of it."""

from collections.abc import Iterable

import msgspec

from gateway.egress.addresses import Address
from gateway.settings.allow import Network, read_allowed


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
            host, port = read_allowed(entry)
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

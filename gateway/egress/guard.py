"""The guard at the dial: which addresses a connection may be made to."""

from collections.abc import Sequence
from ipaddress import ip_address

from gateway.egress.addresses import why_denied
from gateway.egress.policy import AllowList, EgressPolicy
from gateway.egress.resolver import Resolver
from gateway.egress.url import Target


class AddressDenied(OSError):
    """The address is not public and nobody allowed it; callers must treat it exactly as a refused connection."""


class Guard:
    """Resolves a target once and checks every address of the answer.

    What it returns are literal addresses to connect to: no second resolution can give another answer.
    """

    __slots__ = ("_allow", "_resolver")

    def __init__(self, policy: EgressPolicy, resolver: Resolver) -> None:
        self._allow = AllowList(policy.allow)
        self._resolver = resolver

    async def addresses(self, target: Target) -> Sequence[str]:
        """The addresses of the target, best first.

        Raises `AddressDenied` if any of them is denied (an answer that mixes public and private addresses is an
        attack or a mistake), another `OSError` if there are none.
        """
        found = (target.literal,) if target.literal else await self._resolver.resolve(target.host)
        if not found:
            raise OSError(f"no address for {target.host}")
        if not target.literal and self._allow.names(target.host, target.port):
            return found
        for text in found:
            self._check(text, target)
        return found

    def _check(self, text: str, target: Target) -> None:
        try:
            address = ip_address(text)
        except ValueError as error:
            raise AddressDenied(f"{target.host} resolves to {text!r}, which is no address") from error
        why = why_denied(address)
        if why is not None and not self._allow.covers(address, target.port):
            raise AddressDenied(f"{address} ({why}) may not be reached; name it in egress.allow if it should be")

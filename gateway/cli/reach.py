"""Tells at once that the egress guard will refuse an address, instead of at the first request."""

from ipaddress import ip_address
from typing import TYPE_CHECKING

from gateway.cli.opened import settings

if TYPE_CHECKING:
    from gateway.egress.policy import AllowList


def denied(base_url: str) -> str | None:
    """The warning that this address is private and not allowed; other host names are checked when they are dialled.

    Raises `SettingsError` where the allow list itself cannot be read, as the server does.
    """
    from gateway.egress.addresses import why_denied
    from gateway.egress.url import parse_target

    target = parse_target(base_url)
    allow = _allowed()
    if target.literal:
        address = ip_address(target.literal)
        why = None if allow.covers(address, target.port) else why_denied(address)
        host = f"[{address}]" if address.version == 6 else str(address)
    else:
        host = target.host
        is_local = host == "localhost" or host.endswith(".localhost")
        why = "loopback" if is_local and not allow.names(host, target.port) else None
    if why is None:
        return None
    return (
        f"{host} ({why}) is refused by the egress guard until the server is started with "
        f"GATEWAY_EGRESS__ALLOW='[\"{host}:{target.port}\"]'."
    )


def _allowed() -> "AllowList":
    from gateway.egress.policy import AllowList
    from gateway.settings import SettingsError, locate

    given = settings()
    try:
        return AllowList(given.egress.allow)
    except ValueError as error:
        place = locate(("egress", "allow"), given.origins).text
        raise SettingsError([f"{place}: {str(error).removeprefix('egress.allow: ')}"]) from error

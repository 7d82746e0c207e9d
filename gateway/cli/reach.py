"""Tells at once what is amiss with an address, instead of at the first request."""

import json
from ipaddress import ip_address

from gateway.cli.opened import settings


def denied(base_url: str) -> str | None:
    """The warning that this address is private and not allowed; other host names are checked when they are dialled."""
    from gateway.egress.addresses import why_denied
    from gateway.egress.policy import AllowList
    from gateway.egress.url import parse_target

    target = parse_target(base_url)
    allowed = settings().egress.allow
    allow = AllowList(allowed)
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
    # The server may see others: it may run elsewhere, or have been started from another shell.
    return (
        f"By the settings that this command sees, {host} ({why}) is refused by the egress guard; "
        f"start the server with GATEWAY_EGRESS__ALLOW='{json.dumps([*allowed, f'{host}:{target.port}'])}'."
    )


def exposed(base_url: str) -> str | None:
    """The warning that it has a query, unless that says a version only."""
    if without_values(base_url) == base_url:
        return None
    return "The base URL has a query, which is not encrypted here: no key belongs there."


def without_values(base_url: str) -> str:
    """As lists show it: whoever put a key into the query need not see it there."""
    address, mark, query = base_url.partition("?")
    return address + mark + "&".join(map(_without_value, query.split("&")))


def _without_value(given: str) -> str:
    name, equals, value = given.partition("=")
    # Azure's deployments have it in their base URLs, and it is no secret.
    if name == "api-version" or not (value if equals else name):
        return given
    return f"{name}=***" if equals else "***"

"""Tells at once that the egress guard will refuse an address, instead of at the first request."""

from ipaddress import ip_address

import click

from gateway.cli.opened import settings


def warn_if_denied(base_url: str) -> None:
    """Say on standard error that this address is private and not allowed; a host name is checked when it is dialled."""
    from gateway.egress.addresses import why_denied
    from gateway.egress.policy import AllowList
    from gateway.egress.url import parse_target

    target = parse_target(base_url)
    if not target.literal:
        return
    address = ip_address(target.literal)
    why = why_denied(address)
    host = f"[{address}]" if address.version == 6 else str(address)
    if why is not None and not AllowList(settings().egress.allow).covers(address, target.port):
        click.echo(
            f"Warning: {address} ({why}) is refused by the egress guard until the server is started with "
            f"GATEWAY_EGRESS__ALLOW='[\"{host}:{target.port}\"]'.",
            err=True,
        )

"""`gateway models health`: what a running gateway knows of its upstreams."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.address import NotRunning
from gateway.cli.endings import Failed
from gateway.cli.output import print_json, print_rows
from gateway.cli.plugins.remote import Remote, remote_options

if TYPE_CHECKING:
    from gateway.cli.context import Context

_COLUMNS = (
    *("MODEL", "ID", "PROVIDER", "CIRCUIT", "CREDENTIAL", "FAILURES"),
    *("COOLING", "IN FLIGHT", "LATENCY", "LAST ERROR"),
)


@click.command()
@remote_options
@click.pass_obj
def health(context: "Context", *, url: str | None, key_file: Path | None, as_json: bool) -> None:
    """Tell how the running gateway finds its models.

    One worker answers, with what it has seen itself: whose circuit is open, which credential was refused, how long
    each is left alone, what runs and how fast first content came lately. It needs an admin key.
    """
    try:
        document = Remote(context.settings(), url, key_file).get("/health/models")
    except NotRunning as error:
        raise Failed(str(error)) from error
    if as_json:
        print_json(document)
    else:
        print_rows(_COLUMNS, [_row(model) for model in document["models"]], empty="There are no models.")


def _row(model: dict[str, Any]) -> tuple[object, ...]:
    return (
        model["model"],
        model["id"],
        model["provider"],
        model["state"].replace("_", "-"),
        model["credential"],
        model["failures"],
        f"{model['cooling']:.1f} s" if model["cooling"] else None,
        model["in_flight"],
        f"{model['latency']:.3f} s" if model["latency"] is not None else None,
        model["last_error"],
    )

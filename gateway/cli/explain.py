"""`gateway explain`: how a request would be answered, without sending it."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.address import NotRunning
from gateway.cli.described import described_headers
from gateway.cli.endings import Failed
from gateway.cli.output import json_text, print_fields, print_json, print_rows
from gateway.cli.plugins.remote import Remote, remote_options

if TYPE_CHECKING:
    from gateway.cli.context import Context


@click.command()
@click.option("-m", "--model", required=True, help="The name or id that a client would ask for.")
@click.option("--key-env", metavar="VAR", help="Variable with the virtual key a client would send. Default: your own.")
@click.option(
    "--header", "headers", metavar="NAME=VALUE", multiple=True, help="A header a client would send; repeat it."
)
@click.option("--tag", "tags", multiple=True, help="A tag of the request, for routes with conditions; repeat it.")
@remote_options
@click.pass_obj
def explain(
    context: "Context",
    model: str,
    key_env: str | None,
    headers: tuple[str, ...],
    tags: tuple[str, ...],
    url: str | None,
    key_file: Path | None,
    as_json: bool,
) -> None:
    """Show a request's way through a running gateway: who answers, what each plugin changes, what would be sent.

    Nothing is sent to an upstream. Exit code 1 when the request would be refused.
    """
    question: dict[str, Any] = {"model": model, "headers": described_headers(headers, tags)}
    if key_env is not None:
        if not os.environ.get(key_env):
            raise Failed(f"The variable {key_env} is not set.")
        question["key"] = os.environ[key_env].strip()
    try:
        told = Remote(context.settings(), url, key_file).post("/admin/explain", question)
    except NotRunning as error:
        raise Failed(f"{error} Start it with `gateway serve`.") from error
    print_json(told) if as_json else _print(told)
    if told["refused"]:
        raise Failed(f"The request would be refused: {told['refused']}")


def _print(told: Any) -> None:
    caller, sent, price = told["caller"], told["upstream"], told["price"]
    print_fields(
        {
            "generation": told["generation"],
            "caller": f"{caller['id']} (owner {caller['owner'] or 'none'})" if caller else None,
            "lookups": tuple(f"{one['plugin']}: {one['answer']}" for one in told["lookups"]),
            "route": f"{told['route']} ({told['strategy']})" if told["route"] else None,
            "limits": tuple(f"{one['plugin']}: {_left(one['left'])}" for one in told["limits"]),
            "transforms": tuple(f"{one['plugin']}: {_changes(one)}" for one in told["transforms"]),
            **{stage: tuple(plugins) for stage, plugins in told["stages"].items() if plugins and stage != "lookups"},
            "lane": told["lane"],
            "sends": f"{sent['method']} {sent['url']}" if sent else None,
            "body": sent["body"] if sent else None,
            "prompt": f"about {price['input_tokens']} tokens, {_dollars(price)}" if price else None,
        }
    )
    if told["candidates"]:
        click.echo()
        rows = [[one["name"], one["id"], one["provider"], _terms(one), _state(one)] for one in told["candidates"]]
        print_rows(("model", "id", "provider", "terms", "tried"), rows, empty="")


def _left(left: Any) -> str:
    return ", ".join(f"{name} {_amount(value)}" for name, value in left.items()) or "nothing to tell"


def _amount(value: Any) -> str:
    """A limiter tells what it likes; ours tell both numbers."""
    if isinstance(value, dict) and value.keys() == {"limit", "left"}:
        return f"{value['left']} of {value['limit']} left"
    return value if isinstance(value, str) else json_text(value)


def _changes(one: Any) -> str:
    if one["error"]:
        return f"refuses: {one['error']}"
    changed = [f"{name}: {_field(before)} -> {_field(after)}" for name, (before, after) in one["changed"].items()]
    return "; ".join(changed) or "nothing"


def _field(value: Any) -> str:
    return "none" if value is None else json_text(value)


def _dollars(price: Any) -> str:
    if price["input_dollars"] is None:
        return "price unknown"
    return f"{price['input_dollars']:.6f} USD (price from the {price['source']})"


def _terms(one: Any) -> str:
    return f"weight={one['weight']:g},priority={one['priority']}"


def _state(one: Any) -> str:
    if one["excluded"]:
        return f"no: {one['excluded']}"
    return f"yes, after those that are well: {_ailing(one['health'])}" if one["cooling"] else "yes"


def _ailing(health: Any) -> str:
    credential = f", credential {health['credential']}" if health["credential"] != "ok" else ""
    left = f", {health['cooling']:.1f} s left" if health["cooling"] else ""
    return f"circuit {health['state']}{credential}, last error {health['last_error']}{left}"

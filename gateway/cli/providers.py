"""`gateway providers`: who speaks to upstreams, and what each knows of itself."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.endings import Wrong
from gateway.cli.opened import settings
from gateway.cli.output import print_json, print_rows

if TYPE_CHECKING:
    from gateway.protocols import Provider
    from gateway.runtime import Registered


@click.group(name="providers")
def group() -> None:
    """Tell which providers models can name."""


@group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--markdown", is_flag=True, help="Print the table of docs/providers.md.")
def list_(as_json: bool, markdown: bool) -> None:
    """List the providers of all enabled plugins.

    BASE URL is where models without one are asked, KEY the environment variable its own documentation uses.
    """
    told = [_told(name, registered) for name, registered in sorted(registered_providers().items())]
    if markdown:
        click.echo(_markdown([one for one in told if one["title"]]))
        return
    if as_json:
        print_json(told)
        return
    columns = ("NAME", "PLUGIN", "BASE URL", "KEY", "WHAT IS CHANGED IN REQUESTS")
    rows = [(one["name"], one["plugin"], one["base_url"], one["api_key_env"], one["differences"]) for one in told]
    print_rows(columns, rows, empty="No enabled plugin brings a provider: see `gateway plugins list`.")


def registered_providers() -> "Mapping[str, Registered[Provider]]":
    """The providers that would serve, by name; ends the command when the plugins cannot, as `serve` would."""
    from gateway.cli.plugins.dry import dry_run

    found = dry_run(settings())
    if found.generation is None:
        raise found.plugins.refusal(found.problems)
    return found.generation.providers


def default_base_url(name: str) -> str:
    """Where a provider's models are when nobody says; ends the command when there is no such place."""
    providers = registered_providers()
    registered = providers.get(name)
    if registered is None:
        from gateway.settings import suggest

        raise Wrong(f"No enabled plugin brings a provider {name[:100]!r}{suggest(name, providers) or '.'}")
    url: str = getattr(registered.object, "base_url", "")
    if not url:
        raise Wrong(f"The provider {name} has no address of its own: give --base-url.")
    return url


def _told(name: str, registered: "Registered[Provider]") -> dict[str, Any]:
    provider = registered.object
    vendor = getattr(provider, "vendor", None)
    return {
        "name": name,
        "title": getattr(vendor, "title", ""),
        "plugin": registered.plugin,
        "base_url": getattr(provider, "base_url", ""),
        "api_key_env": getattr(vendor or provider, "api_key_env", ""),
        "differences": getattr(vendor, "differences", ""),
        "note": getattr(vendor, "note", ""),
    }


def _markdown(told: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| provider | who | base URL | key | what is changed in requests |", "|---|---|---|---|---|"]
    for one in told:
        url, key = (f"`{one[field]}`" if one[field] else "" for field in ("base_url", "api_key_env"))
        changed = f"{one['differences'] or 'nothing'}. {one['note']}".strip()
        lines.append(f"| `{one['name']}` | {one['title']} | {url} | {key} | {changed} |")
    return "\n".join(lines)

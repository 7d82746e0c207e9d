"""`gateway plugins config`: what a plugin can be told, what it is told, and by whom."""

from typing import TYPE_CHECKING

import click

from gateway.cli.output import print_json, print_rows

if TYPE_CHECKING:
    from gateway.cli.context import Context
    from gateway.runtime.configuring import SectionOf
    from gateway.settings import Settings
    from gateway.settings.describe import Key

_COLUMNS = ("key", "value", "source", "meaning")


@click.command("config")
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--schema", "as_schema", is_flag=True, help="Print the section's JSON Schema.")
@click.option("--markdown", is_flag=True, help="Print what can be set as a table for documentation.")
@click.pass_obj
def config_plugin(context: "Context", name: str | None, *, as_json: bool, as_schema: bool, markdown: bool) -> None:
    """Print the settings of the plugin NAME: each key's value in force and where it was written.

    It may be disabled. Secrets are masked. With --markdown and no NAME, of all plugins that ship with the gateway.
    """
    from gateway.runtime.configuring import SectionOf, shipped
    from gateway.settings.describe import describe, markdown_table, schema

    if name is None and not markdown:
        raise click.UsageError("Which plugin? `gateway plugins list` names them.")
    settings = context.settings()
    sections = [SectionOf(settings, one) for one in ([name] if name else shipped())]
    if markdown:
        keys = [key for section in sections for key in describe(section.configured.cls, None, {}, at=_path(section))]
        click.echo(markdown_table(keys))
    elif as_schema:
        print_json(schema(sections[0].configured.cls))
    else:
        _print_values(_keys(sections[0], settings), as_json=as_json)


def _path(section: "SectionOf") -> tuple[str, str]:
    return ("plugins", section.configured.name)


def _keys(section: "SectionOf", settings: "Settings") -> "list[Key]":
    from gateway.settings.describe import describe, enabled_key

    value, warnings = section.read()
    for warning in warnings:
        click.echo(f"Warning: {warning}", err=True)
    name, cls, default = section.configured
    switch = enabled_key(name, settings.plugins.get(name, {}), settings.origins, default=default)
    return [switch, *describe(cls, value, settings.origins, at=_path(section))]


def _print_values(keys: "list[Key]", *, as_json: bool) -> None:
    if as_json:
        print_json(keys)
        return
    rows = [[key.key, _shown(key.value), key.source, key.description] for key in keys]
    print_rows(_COLUMNS, rows, empty="It has no settings.")


def _shown(value: object) -> str:
    import msgspec

    if value is None:
        return "-"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()

"""`gateway plugins enable|disable|reload|rollback`: change what a running gateway serves with, or its next start."""

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import click

from gateway.cli.address import NotRunning
from gateway.cli.endings import Failed
from gateway.cli.output import print_json
from gateway.cli.plugins.remote import Remote, remote_options, show

if TYPE_CHECKING:
    from collections.abc import Callable

    from gateway.cli.context import Context
    from gateway.settings import Settings, Switches


@click.command()
@click.argument("name")
@remote_options
@click.pass_obj
def enable(context: "Context", name: str, url: str | None, key_file: Path | None, as_json: bool) -> None:
    """Serve with plugin NAME from now on; where no gateway runs, from the next start.

    The new set of plugins is assembled and checked first. If it cannot serve, the old one goes on and the reason is
    told. What the settings file or a variable says of the plugin is not overruled.
    """
    from gateway.runtime.switching import switched

    settings = context.settings()
    try:
        result = Remote(settings, url, key_file).post(f"/admin/plugins/{quote(name, safe='')}/enable")
    except NotRunning as error:
        change = _unless_refused(lambda: switched(settings, name, on=True))
        _check_loads(settings, change, name)
        _write(settings, change, f"{error} '{name}' is on from the next start.", as_json)
    else:
        show(result, f"'{name}' is on", as_json=as_json)


@click.command()
@click.argument("name")
@remote_options
@click.pass_obj
def disable(context: "Context", name: str, url: str | None, key_file: Path | None, as_json: bool) -> None:
    """Serve without plugin NAME from now on; where no gateway runs, from the next start.

    Running answers end with the plugins they began with.
    """
    from gateway.runtime.switching import switched

    settings = context.settings()
    try:
        result = Remote(settings, url, key_file).post(f"/admin/plugins/{quote(name, safe='')}/disable")
    except NotRunning as error:
        change = _unless_refused(lambda: switched(settings, name, on=False))
        _write(settings, change, f"{error} '{name}' is off from the next start.", as_json)
    else:
        show(result, f"'{name}' is off", as_json=as_json)


@click.command()
@remote_options
@click.pass_obj
def rollback(context: "Context", url: str | None, key_file: Path | None, as_json: bool) -> None:
    """Take back the last enable or disable; where no gateway runs, from the next start."""
    from gateway.runtime.switching import rolled_back

    settings = context.settings()
    try:
        result = Remote(settings, url, key_file).post("/admin/plugins/rollback")
    except NotRunning as error:
        change = _unless_refused(lambda: rolled_back(settings))
        _write(settings, change, f"{error} The last switch is taken back from the next start.", as_json)
    else:
        show(result, "The last switch is taken back", as_json=as_json)


@click.command()
@remote_options
@click.pass_obj
def reload(context: "Context", url: str | None, key_file: Path | None, as_json: bool) -> None:
    """Let a running gateway read its settings and plugins anew, as SIGHUP does.

    Plugins' settings, their order and what is switched count at once; everything else counts from the next start.
    """
    try:
        result = Remote(context.settings(), url, key_file).post("/admin/plugins/reload")
    except NotRunning as error:
        raise Failed(f"{error} There is nothing to reload.") from error
    show(result, "Reloaded", as_json=as_json)


def _unless_refused(change: "Callable[[], Switches]") -> "Switches":
    from gateway.runtime.switching import SwitchRefused

    try:
        return change()
    except SwitchRefused as error:
        raise Failed(str(error)) from error


def _check_loads(settings: "Settings", change: "Switches", name: str) -> None:
    """Refuse what would keep the next start from succeeding."""
    from gateway.cli.plugins.dry import dry_run
    from gateway.runtime import State
    from gateway.settings import apply_switches

    plugins, _, problems = dry_run(apply_switches(settings, change))
    entry = next(entry for entry in plugins.entries if entry.name == name)
    if entry.state is not State.ACTIVE:
        raise Failed(f"It would keep the gateway from serving as asked.\n{entry.title}: {entry.reason}")
    if problems:
        raise Failed("\n".join(("The gateway would not start.", *problems)))


def _write(settings: "Settings", change: "Switches", sentence: str, as_json: bool) -> None:
    from gateway.runtime.switching import SwitchRefused, write_switches

    try:
        write_switches(settings, change)
    except SwitchRefused as error:
        raise Failed(str(error)) from error
    if as_json:
        print_json({"generation": None, "switched": change.enabled, "workers": []})
    else:
        click.echo(sentence)

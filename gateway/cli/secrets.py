"""`gateway secrets`: the keyring, whose keys seal what the database must not hold in plain text."""

from typing import TYPE_CHECKING

import click

from gateway.cli.endings import Failed
from gateway.cli.opened import settings, work
from gateway.cli.output import print_json, print_rows

if TYPE_CHECKING:
    from gateway.registry.rotation import KeyUse


@click.group(name="secrets")
def group() -> None:
    """Look after the keys that seal secrets in the database.

    To change them: `gateway secrets rotate`, then `gateway secrets prune`. Both may run while the gateway serves.
    """


@group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(as_json: bool) -> None:
    """List the keys by their ids.

    When each was made, and how many stored values it seals. No key is shown.
    """
    from gateway.registry.rotation import key_uses

    uses = work(key_uses)
    if as_json:
        print_json([use._asdict() for use in uses])
    else:
        columns = ("KEY", "ROLE", "MADE", "VALUES")
        print_rows(columns, [(use.id, use.role, use.made_at, use.values) for use in uses], empty="")
    for use in uses:
        if use.role == "missing":
            _warn_of_missing(use)


@group.command()
@click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")
def rotate(as_json: bool) -> None:
    """Make a new key and seal all stored values with it.

    A rotation that was interrupted is finished first. Running servers take the new key up by themselves, and each value
    is read back before its change counts. Keys out of the settings are not made here: the first one there is taken.
    """
    from gateway.registry.rotation import rotate as run

    done = work(run)
    if as_json:
        print_json(done._asdict())
    else:
        begun = "Went on with the rotation to" if done.resumed else "Rotated to"
        click.echo(f"{begun} the key {done.key}: {done.values} values sealed anew.", err=True)
    if done.unreadable:
        raise Failed("\n".join((f"{len(done.unreadable)} values were left as they are:", *done.unreadable)))
    if not done.resumed and not done.values:
        click.echo("To change the key, put a new one first in `secret_keys` and start every server anew.", err=True)
    else:
        click.echo("`gateway secrets prune` takes the older keys away.", err=True)


@group.command()
@click.option("--json", "as_json", is_flag=True, help="Print the ids of the keys as JSON.")
def prune(as_json: bool) -> None:
    """Take the keys away that seal nothing any more.

    Every stored value is opened with the newest key first. Backups of the database made before the rotation need the
    keys that go: keep a copy of the keyring with them.
    """
    from gateway.registry.rotation import prune as run

    gone = work(run)
    if as_json:
        print_json(gone)
    if not gone:
        click.echo("There is no older key.", err=True)
    elif settings().secret_keys:
        click.echo(f"Nothing needs the key {', '.join(gone)} any more: take it out of `secret_keys`.", err=True)
    else:
        click.echo(f"Took the key {', '.join(gone)} out of the keyring.", err=True)


def _warn_of_missing(use: "KeyUse") -> None:
    click.echo(
        f"Warning: {use.values} values are sealed with the key {use.id}, which the keyring does not have: "
        "restore it from a backup, or set those values again.",
        err=True,
    )

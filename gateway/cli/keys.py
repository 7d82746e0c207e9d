"""`gateway keys`: what clients call with."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from gateway.cli.opened import settings, work
from gateway.cli.output import print_json, print_rows

if TYPE_CHECKING:
    from gateway.registry import Database, StoredKey
    from gateway.secrets import Secret


_LIMITS = (
    ("rpm", "Requests that it may make in a minute; 0 = as many as it likes."),
    ("tpm", "Tokens that it may take in a minute, of prompts and answers together; 0 = as many as it likes."),
    ("concurrent", "Requests that it may make at one time; 0 = as many as it likes."),
)
_MOST = 1_000_000_000


class Duration(click.ParamType[timedelta]):
    """A number and a unit: 90s, 15m, 12h, 30d, 2w."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """The time span."""
        match = re.fullmatch(r"([1-9][0-9]{0,6})([smhdw])", value)
        units = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
        span = timedelta(**{units[match[2]]: int(match[1])}) if match else None
        if span is None or span > timedelta(days=36500):
            self.fail(f"{value!r} is no duration: write a number and s, m, h, d or w, such as 30d.", param, ctx)
        return span


def _limits(command: Callable[..., None]) -> Callable[..., None]:
    """The options of what a key may take."""
    for name, text in reversed(_LIMITS):
        command = click.option(f"--{name}", type=click.IntRange(0, _MOST), metavar="N", help=text)(command)
    return command


@click.group(name="keys")
def group() -> None:
    """Create, list, limit, rotate and revoke virtual keys."""


@group.command()
@click.argument("name")
@click.option("--owner", metavar="UUID", help="Whose private models the key may use; without it the operator's.")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice(["chat", "admin"]),
    multiple=True,
    default=["chat"],
    help="What the key may do; may be repeated.  [default: chat]",
)
@click.option("--expires", type=Duration(), help="When the key ends by itself: 90s, 15m, 12h, 30d, 2w from now.")
@_limits
@click.option("--detach", is_flag=True, help="Complete its answers, and pay for them, although the client has left.")
@click.option("--json", "as_json", is_flag=True, help="Print the key as JSON, the secret in it.")
def create(
    name: str,
    owner: str | None,
    scopes: tuple[str, ...],
    expires: timedelta | None,
    detach: bool,
    as_json: bool,
    **limits: int | None,
) -> None:
    """Create a key called NAME.

    Its secret is printed this once, alone on standard output.
    """
    from gateway.registry import KeyStore
    from gateway.terms import Limits

    async def run(database: "Database") -> "tuple[StoredKey, Secret]":
        until = datetime.now(UTC) + expires if expires else None
        given = Limits(**{name: limit or None for name, limit in limits.items()})
        return await KeyStore(database).create(
            name, owner=owner, scopes=scopes, expires_at=until, limits=given, detach=detach
        )

    key, secret = work(run)
    if as_json:
        print_json({"id": key.id, "name": key.name, "secret": secret.reveal(), **_shown(key)})
        return
    click.echo(f"Key {key.name} ({key.id}) with scope {', '.join(key.scopes)}. It is shown only now:", err=True)
    click.echo(secret.reveal())


@group.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_(as_json: bool) -> None:
    """List all keys.

    What is shown of a secret is its beginning.
    """
    from gateway.registry import KeyStore

    async def run(database: "Database") -> "list[StoredKey]":
        return await KeyStore(database).all()

    keys = work(run)
    if as_json:
        print_json([_shown(key) for key in keys])
        return
    rows = [
        (
            key.id,
            key.name,
            key.prefix + "...",
            key.owner,
            key.scopes,
            key.limits,
            "yes" if key.detach else "",
            key.state,
            key.created_at,
            key.expires_at,
        )
        for key in keys
    ]
    columns = ("ID", "NAME", "KEY", "OWNER", "SCOPES", "LIMITS", "DETACH", "STATE", "CREATED", "EXPIRES")
    print_rows(columns, rows, empty="There are no keys yet: make one with `gateway keys create NAME`.")


@group.command("set")
@click.argument("key", metavar="ID_OR_NAME")
@_limits
@click.option(
    "--detach/--no-detach", default=None, help="Whether its answers are completed although the client has left."
)
@click.option("--json", "as_json", is_flag=True, help="Print the changed key as JSON.")
def set_(key: str, detach: bool | None, as_json: bool, **limits: int | None) -> None:
    """Change what a key may take, and whether its answers need their client.

    What is not given stays. Running servers know within two seconds.
    """
    import msgspec

    from gateway.registry import KeyStore

    said = {name: limit or None for name, limit in limits.items() if limit is not None}

    async def run(database: "Database") -> "StoredKey":
        store = KeyStore(database)
        old = await store.find(key)
        changed = msgspec.structs.replace(old.limits, **said) if said else None
        return await store.change(old.id, limits=changed, detach=detach)

    changed = work(run)
    if as_json:
        print_json(_shown(changed))
        return
    detached = ", detached" if changed.detach else ""
    click.echo(f"Key {changed.name} ({changed.id}): {str(changed.limits) or 'no limits'}{detached}.", err=True)


@group.command()
@click.argument("key", metavar="ID_OR_NAME")
@click.option("--json", "as_json", is_flag=True, help="Print the revoked key as JSON.")
def revoke(key: str, as_json: bool) -> None:
    """Revoke a key.

    Running servers refuse it within two seconds.
    """
    from gateway.registry import KeyStore

    async def run(database: "Database") -> "StoredKey":
        store = KeyStore(database)
        return await store.revoke((await store.find(key)).id)

    revoked = work(run)
    if as_json:
        print_json(_shown(revoked))
        return
    click.echo(f"Key {revoked.name} ({revoked.id}) is revoked.", err=True)


@group.command()
@click.argument("key", metavar="ID_OR_NAME")
@click.option(
    "--overlap",
    type=Duration(),
    default="24h",
    show_default=True,
    help="How long the old key still works.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the new key as JSON, the secret in it.")
def rotate(key: str, overlap: timedelta, as_json: bool) -> None:
    """Replace a key by a new one.

    The new one has the same name, owner and scopes; its secret is printed this once, alone on standard output. The old
    one goes on working for the overlap. Running servers know both within two seconds.
    """
    from gateway.registry import KeyStore

    async def run(database: "Database") -> "tuple[StoredKey, StoredKey, Secret]":
        store = KeyStore(database)
        old, new, secret = await store.rotate((await store.find(key)).id, overlap)
        if (file := store.renew_admin_file(settings().data_dir, old, secret)) is not None:
            click.echo(f"The file {file} holds the new key now.", err=True)
        return old, new, secret

    old, new, secret = work(run)
    if as_json:
        print_json({"id": new.id, "name": new.name, "secret": secret.reveal(), **_shown(new), "replaces": _shown(old)})
        return
    click.echo(f"The old key {old.id} ends at {old.expires_at:%Y-%m-%d %H:%M:%S} UTC.", err=True)
    click.echo(f"Key {new.name} ({new.id}) replaces it. It is shown only now:", err=True)
    click.echo(secret.reveal())


def _shown(key: "StoredKey") -> dict[str, Any]:
    import msgspec

    shown: dict[str, Any] = msgspec.to_builtins(key)
    return {**shown, "state": key.state}

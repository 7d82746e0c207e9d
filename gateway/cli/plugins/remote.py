"""How commands speak to a running gateway: its control plane, with an admin key."""

import http.client
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from gateway.cli.address import Address, NotRunning, own_url
from gateway.cli.endings import Failed
from gateway.cli.output import print_json

if TYPE_CHECKING:
    from gateway.settings import Settings

KEY = "GATEWAY_ADMIN_KEY"
_SECONDS = 120.0
"""Longer than any start of plugins may take."""

C = TypeVar("C", bound=Callable[..., Any])


def remote_options(command: C) -> C:
    """The options of every command that speaks to a running gateway."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print JSON."),
        click.option(
            "--key-file",
            type=click.Path(path_type=Path, dir_okay=False),
            help=f"File with an admin key. Default: {KEY}, else admin-key in the data directory.",
        ),
        click.option("--url", help="The running gateway. Default: http:// and the host and port of the settings."),
    ):
        command = option(command)
    return command


class Remote:
    """A running gateway's control plane."""

    def __init__(self, settings: "Settings", url: str | None, key_file: Path | None) -> None:
        self._address = Address(url or own_url(settings))
        self.url = self._address.url
        self._named = url is not None
        self._key_file = key_file
        self._settings = settings

    def get(self, path: str) -> Any:
        """A document of the control plane; raises as `post` does."""
        return self._ask("GET", path, {})

    def post(self, path: str, question: object = None) -> Any:
        """What the control plane answers; raises `NotRunning` where no `url` was named, or `Failed` with its reason."""
        return self._ask("POST", path, question or {})

    def _ask(self, method: str, path: str, question: object) -> Any:
        try:
            connection = self._address.connect(_SECONDS)
        except NotRunning as error:
            if self._named:  # what is asked of another gateway is not to be done on this machine instead
                raise Failed(str(error)) from error
            raise
        import msgspec

        body = msgspec.json.encode(question)
        try:
            headers = {"Authorization": f"Bearer {self._key()}", "Content-Type": "application/json"}
            connection.request(method, self._address.prefix + path, body=body, headers=headers)
            answer = connection.getresponse()
            document = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Failed(f"The gateway at {self.url} broke off: {type(error).__name__}.") from error
        finally:
            connection.close()
        return _checked(answer.status, document, self.url)

    def _key(self) -> str:
        if self._key_file is None and os.environ.get(KEY):
            return os.environ[KEY].strip()
        file = self._key_file or self._settings.data_dir / "admin-key"
        try:
            key = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeError) as error:
            raise Failed(f"An admin key is needed: {file} cannot be read. Set {KEY} or name a --key-file.") from error
        if not key.isascii() or not key.isprintable() or not key:
            raise Failed(f"{file} holds no key.")
        return key


def show(result: Any, sentence: str, *, as_json: bool) -> None:
    """Print what a change led to; raises `Failed` when a worker could not follow."""
    number = result["generation"]
    serving = [one for one in result["workers"] if one["generation"] == number]
    if as_json:
        print_json(result)
    else:
        click.echo(f"{sentence}: generation {number}, served by {len(serving)} worker{'s'[: len(serving) != 1]}.")
    for name in result["needs_restart"]:
        click.echo(f"Note: the setting {name} was changed too; it counts from the next start.", err=True)
    late = [one for one in result["workers"] if one["generation"] != number]
    for one in late:
        why = one["reason"] or "it has not followed yet"
        click.echo(f"Warning: worker {one['pid']} still serves generation {one['generation']}: {why}", err=True)
    if any(one["reason"] for one in late):
        raise Failed("Not every worker could follow; it goes on with its old generation.")


def _checked(status: int, body: bytes, url: str) -> Any:
    import msgspec

    try:
        document = msgspec.json.decode(body)
    except msgspec.DecodeError:
        document = {}
    if status == 200:
        return document
    detail = document.get("detail") if isinstance(document, dict) else None
    if status in (401, 403):
        raise Failed(f"The gateway at {url} refused the key: {detail or status}")
    raise Failed(detail or f"The gateway at {url} answered {status}.")

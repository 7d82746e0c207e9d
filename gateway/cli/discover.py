"""`gateway models discover`: what an upstream says it has, and rows for it."""

import uuid
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final

import click

from gateway.cli.api_key import api_key_options
from gateway.cli.endings import Failed, Wrong
from gateway.cli.opened import running, settings, work
from gateway.cli.output import print_json, print_rows
from gateway.cli.reach import denied

if TYPE_CHECKING:
    from gateway.cli.listing import Found, Listed
    from gateway.registry import Database, StoredModel
    from gateway.registry.references import KeyReference
    from gateway.secrets import Secret

_NAMESPACE: Final = uuid.UUID("6b8f2f0a-51c3-4f5e-9a37-3f0a4f6f9b11")
"""Ids are made of address and model under this one: the same again at every discovery."""
_LONGEST: Final = 100


@click.command()
@click.option("--base-url", required=True, metavar="URL", help="Where /models is asked; Ollama's root does as well.")
@click.option(
    "--provider",
    help="The provider of the rows that are added.  [default: openai; ollama where only Ollama's own listing answers]",
)
@click.option("--only", metavar="PATTERN", multiple=True, help="Only models of these names, as in `gpt-*`.")
@click.option("--prefix", default="", help="What the added models' names begin with.")
@click.option("--add", "adds", is_flag=True, help="Add those that have no row yet.")
@api_key_options
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def discover(
    base_url: str, provider: str | None, only: Sequence[str], prefix: str, adds: bool, api_key: Any, as_json: bool
) -> None:
    """List the models that an upstream has, and add them.

    Goes through the address guard, as every call does. Run it again at any time: a model that has a row is left alone.
    """
    from gateway.registry import InvalidValue, ModelStore
    from gateway.settings import limits

    try:
        url = limits.base_url(base_url)
        if provider is not None:
            limits.required("provider", provider)
    except InvalidValue as error:
        raise Wrong(str(error)) from error
    listed = _ask(url, provider or "", api_key)
    found = [one for one in listed.models if not only or any(fnmatchcase(one.id, pattern) for pattern in only)]

    async def run(database: "Database") -> "tuple[list[StoredModel], list[Found]]":
        stored = await ModelStore(database).all()
        known = {(model.base_url, model.model_id) for model in stored}
        new = [one for one in found if (listed.base_url, one.id) not in known and len(prefix + one.id) <= _LONGEST]
        if adds and new:
            await _add(
                database, new, listed, {"prefix": prefix, "provider": provider or listed.provider, "api_key": api_key}
            )
        return stored, new

    stored, new = work(run)
    names = {model.model_id: model.name for model in stored if model.base_url == listed.base_url}
    rows = [(_state(one, names, new, adds), one) for one in found]
    if as_json:
        models = [{"state": state, "model": one} for state, one in rows]
        print_json({"base_url": listed.base_url, "models": models})
        return
    cells = [(state, one.id, one.context_length, one.prices.input, one.prices.output) for state, one in rows]
    print_rows(("STATE", "MODEL", "CONTEXT", "INPUT", "OUTPUT"), cells, empty="The upstream lists no such model.")
    if new and not adds:
        click.echo(f"{len(new)} have no row yet: --add adds them, --only PATTERN chooses.", err=True)


def _state(one: "Found", names: "dict[str, str]", new: "list[Found]", adds: bool) -> str:
    if one.id in names:
        return "known"
    if one not in new:
        return "too long"
    return "added" if adds else "new"


async def _add(database: "Database", new: "Sequence[Found]", listed: "Listed", given: dict[str, Any]) -> None:
    """All of them, or none."""
    import msgspec

    from gateway.registry.catalog import UNSAID
    from gateway.registry.imports import Incoming, take_in

    incoming = []
    for one in new:
        prices = {kind: price for kind, price in msgspec.to_builtins(one.prices).items() if price is not None}
        columns = {
            "user_id": None,
            "name": given["prefix"] + one.id,
            "model_id": one.id,
            "base_url": listed.base_url,
            "provider": given["provider"],
            "api_key": given["api_key"],
            "context_length": one.context_length or UNSAID,
            "prices": prices,
        }
        id = str(uuid.uuid5(_NAMESPACE, f"{listed.base_url}\0{one.id}"))
        incoming.append(Incoming(id=id, columns=columns))
    await take_in(database, incoming)


def _ask(url: str, provider: str, api_key: "Secret | KeyReference | None") -> "Listed":
    from gateway.cli.listing import ask
    from gateway.egress import EgressClient, EgressPolicy
    from gateway.registry.references import KeyReference
    from gateway.secrets import Secret

    if (warning := denied(url)) is not None:
        raise Failed(warning.replace("start the server with", "start this command and the server with"))
    key = api_key.resolve() if isinstance(api_key, KeyReference) else api_key or Secret("")

    async def run() -> "Listed":
        egress = EgressClient(EgressPolicy(allow=settings().egress.allow))
        try:
            return await ask(egress, url, provider, key)
        finally:
            await egress.aclose()

    return running(run)

"""The catalog on the command line: looking into it, adding a model from it, and what counts for a row."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import click

from gateway.cli.endings import Wrong
from gateway.cli.output import print_json, print_rows
from gateway.cli.providers import registered_providers

if TYPE_CHECKING:
    from gateway.registry import StoredModel
    from gateway.registry.catalog import Entry

_NAMES: Final = {"google": "gemini", "x-ai": "xai", "aws": "bedrock", "moonshotai": "moonshot"}
"""The catalog's names of sellers, where our providers are called otherwise."""
_SHOWN: Final = 10


class Chosen(NamedTuple):
    """A model of the catalog, and how it is asked here."""

    entry: "Entry"
    model_id: str
    provider: str
    base_url: str
    """Empty where no provider says it."""


@click.command()
@click.argument("search", default="")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def catalog(search: str, as_json: bool) -> None:
    """Show what the catalog knows of models whose names hold SEARCH.

    Prices are US dollars for a million tokens; `-` is unknown, or no one number.
    """
    from gateway.registry.catalog import Catalog

    wanted = search.lower()
    found = [entry for entry in Catalog.read().entries() if wanted in f"{entry.ref} {entry.name}".lower()]
    if as_json:
        print_json(found)
        return
    rows = [(one.ref, one.context_length, one.prices.input, one.prices.output, " ".join(one.notes)) for one in found]
    print_rows(("MODEL", "CONTEXT", "INPUT", "OUTPUT", "NOTES"), rows, empty="The catalog has no such model.")


def choose(ref: str) -> Chosen:
    """The model that `[PROVIDER/]MODEL` names; ends the command with the nearest names where it names none."""
    from gateway.registry.catalog import Catalog

    known = Catalog.read()
    providers = registered_providers()
    seller, slash, name = ref.partition("/")
    theirs = {ours: their for their, ours in _NAMES.items()}.get(seller, seller)
    found = known.find(f"{theirs}/{name}" if slash else ref) or known.find(ref)
    if len(found) > 1:
        # A name that several sell is the one's whom a provider here speaks to.
        found = [entry for entry in found if _NAMES.get(entry.provider, entry.provider) in providers] or found
    if len(found) > 1:
        refs = ", ".join(entry.ref for entry in found[:_SHOWN])
        raise Wrong(f"Several sell {ref[:100]!r}: say whose you mean, one of {refs}.")
    if not found:
        raise Wrong(f"The catalog has no model {ref[:100]!r}.{_nearest(ref, known.entries())}")
    [entry] = found
    provider = _NAMES.get(entry.provider, entry.provider)
    registered = providers.get(provider)
    base_url = getattr(registered.object, "base_url", "") if registered else ""
    return Chosen(
        entry, name if slash and entry.model != ref else entry.model, provider if registered else "", base_url
    )


def _nearest(ref: str, entries: "Sequence[Entry]") -> str:
    from difflib import get_close_matches

    refs = {entry.ref: entry.ref for entry in entries} | {entry.model: entry.ref for entry in entries}
    near = get_close_matches(ref.lower(), refs, n=4, cutoff=0.5)
    holding = [entry.ref for entry in entries if ref.lower() in entry.ref.lower()]
    names = list(dict.fromkeys([*(refs[one] for one in near), *holding]))[:4]
    if names:
        return f" Did you mean {', '.join(names)}? `gateway models catalog SEARCH` looks further."
    return " `gateway models catalog SEARCH` looks for names."


def columns(chosen: Chosen, base_url: str, model_id: str) -> dict[str, Any]:
    """What the row has to say itself: nothing, where its address leads the gateway to the same entry.

    Such a row follows the catalog: a new price is known with the package's next version.
    """
    import msgspec

    from gateway.registry.catalog import Catalog

    if Catalog.read().at(base_url, model_id) == chosen.entry:
        return {}
    prices = {kind: price for kind, price in msgspec.to_builtins(chosen.entry.prices).items() if price is not None}
    length = chosen.entry.context_length
    return {**({"prices": prices} if prices else {}), **({"context_length": length} if length else {})}


def shown(models: "Sequence[StoredModel]") -> list[dict[str, Any]]:
    """The rows as JSON, each with what counts for it and who says so."""
    import msgspec

    from gateway.domain import Model, Prices
    from gateway.registry.catalog import UNSAID, Catalog, is_open

    read: Catalog | None = None
    told = []
    for stored in models:
        length = None if stored.context_length in (0, UNSAID) else stored.context_length
        model = Model(
            id=stored.id,
            name=stored.name,
            model_id=stored.model_id,
            base_url=stored.base_url,
            prices=msgspec.convert(stored.prices, Prices),
            context_length=length,
        )
        if is_open(model):
            read = read or Catalog.read()
            model = read.complete(model)
        effective = {
            "prices": model.prices,
            "prices_from": model.prices_from,
            "context_length": model.context_length,
            "context_length_from": model.context_length_from,
        }
        told.append({**msgspec.to_builtins(stored), "effective": msgspec.to_builtins(effective)})
    return told


def in_words(effective: dict[str, Any]) -> dict[str, str]:
    """Prices and context length as people read them."""
    priced = [f"{kind} {price:g}" for kind, price in effective["prices"].items() if price is not None]
    length = effective["context_length"]
    return {
        "prices": f"{', '.join(priced)} ({effective['prices_from']})" if priced else "unknown",
        "context_length": f"{length} ({effective['context_length_from']})" if length else "unknown",
    }


def told_of(entry: "Entry") -> str:
    """Its context and prices in one line."""
    length = f"{entry.context_length} tokens" if entry.context_length else "context unknown"
    prices = " / ".join("unknown" if one is None else f"{one:g}" for one in (entry.prices.input, entry.prices.output))
    return f"{length}, input / output {prices} USD for a million"

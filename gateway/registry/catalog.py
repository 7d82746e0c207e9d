"""Prices and context windows of well-known models, for what a row does not say: from the package genai-prices.

A model is found by the address it is called at and its name there. An address the package does not know - your own
machine, a proxy - has no prices, whatever the model behind it is called: unknown, never guessed.

Reading the package costs 0.1 s and 6-10 MB, so it happens where a row needs it and not before: no model on a private
address, and none whose row says everything, makes it happen.
"""

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import msgspec

from gateway.domain import Model, Prices

if TYPE_CHECKING:
    from genai_prices.types import ModelInfo, ModelPrice, Provider, TieredPrices

UNSAID: Final = 4096
"""What a row's context length is where nobody said one.

Chatbot UI's column is never null and begins with 4096, so that its rows - imported, read live, or written by SQL - hold
this number for a model of 8 thousand tokens and for one of a million. It is read as unknown everywhere, ours included:
one rule, however a row came here. A window of really 4096 is said as 4095; prompts are measured more coarsely.
"""
_KINDS: Final = {
    "input": "input_mtok",
    "output": "output_mtok",
    "cache_read": "cache_read_mtok",
    "cache_write": "cache_write_mtok",
}
_PRIVATE: Final = ("localhost", "local", "internal", "lan", "home", "test", "example", "invalid")


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """What the catalog has of one model."""

    provider: str
    """The catalog's name of who serves it."""
    model: str
    name: str
    """For people."""
    context_length: int | None
    prices: Prices
    """A price that depends on the length of the prompt or the time of day is None: there is no one number."""
    notes: tuple[str, ...] = ()
    """Why a price is missing, and what is charged beside tokens."""

    @property
    def ref(self) -> str:
        """What it is asked for by."""
        return f"{self.provider}/{self.model}"


class Catalog:
    """Answers from memory; make it by `Catalog.read()`, or off the event loop by `filled`."""

    def __init__(self, providers: "list[Provider]") -> None:
        self._providers = providers

    @classmethod
    def read(cls) -> "Catalog":
        """The catalog of the installed package; nothing is fetched."""
        # Here and not above: 1.6 MB of code that most commands and many gateways never need.
        from genai_prices.data_snapshot import get_snapshot

        return cls(get_snapshot().providers)

    def at(self, base_url: str, model_id: str) -> Entry | None:
        """The model of that name as it is sold at that address."""
        # By the libraries' own match and not their `calc_price`: that one falls back to guesses by name alone.
        provider = next((one for one in self._providers if _serves(one, base_url)), None)
        found = provider.find_model(model_id, all_providers=self._providers) if provider else None
        return _entry(provider, found) if provider and found else None

    def find(self, ref: str) -> list[Entry]:
        """The models that `[PROVIDER/]MODEL` names; several where several providers serve that name.

        With a provider the model may be called by any name it takes there, such as one with a date.
        """
        entries = self.entries()
        exact = [one for one in entries if one.ref == ref] or [one for one in entries if one.model == ref]
        seller, _, name = ref.partition("/")
        provider = next((one for one in self._providers if one.id == seller), None)
        if exact or provider is None:
            return exact
        found = provider.find_model(name)
        return [_entry(provider, found)] if found else []

    def entries(self) -> list[Entry]:
        """Every model."""
        return [_entry(provider, model) for provider in self._providers for model in provider.models]

    def complete(self, model: Model) -> Model:
        """The model with what its row does not say, as far as it is known."""
        return _completed(model, self.at(model.base_url, model.model_id)) if is_open(model) else model


def is_open(model: Model) -> bool:
    """Whether its row leaves something unsaid that the catalog might know; cheap."""
    return (model.prices == Prices() or model.context_length is None) and _is_public(model.base_url)


async def filled(models: Mapping[str, Model]) -> Mapping[str, Model]:
    """These models, completed, in a thread: answers stream meanwhile."""
    if not models:
        return models

    def complete() -> dict[str, Model]:
        wanted = {key: model for key, model in models.items() if is_open(model)}
        if not wanted:
            return {}
        catalog = Catalog.read()
        return {key: catalog.complete(model) for key, model in wanted.items()}

    return {**models, **await asyncio.to_thread(complete)}


def _completed(model: Model, entry: Entry | None) -> Model:
    if entry is None:
        return model
    changes: dict[str, object] = {}
    # As a whole or not at all: a price agreed on beside a list price would be a sum nobody pays.
    if model.prices == Prices() != entry.prices:
        changes["prices"] = entry.prices
    if model.context_length is None is not entry.context_length:
        changes["context_length"] = entry.context_length
    return msgspec.structs.replace(model, **changes, from_catalog=frozenset(changes)) if changes else model


def _is_public(base_url: str) -> bool:
    try:
        host = (urlsplit(base_url).hostname or "").rstrip(".")
    except ValueError:
        return False
    last = host.rpartition(".")[2]
    return "." in host and ":" not in host and not last.isdigit() and last not in _PRIVATE


def _serves(provider: "Provider", base_url: str) -> bool:
    return re.match(provider.api_pattern, base_url) is not None


def _entry(provider: "Provider", model: "ModelInfo") -> Entry:
    prices, notes = _prices(model)
    return Entry(
        provider=provider.id,
        model=model.id,
        name=model.name or model.id,
        context_length=model.context_window,
        prices=prices,
        notes=notes,
    )


def _prices(model: "ModelInfo") -> tuple[Prices, tuple[str, ...]]:
    """Today's list prices, and what they leave out."""
    today = _at_all_times(model, datetime.now(UTC))
    found: dict[str, float | None] = {}
    notes = []
    for kind, key in _KINDS.items():
        said = [_reached(getattr(prices, key), model) for prices in today]
        said = [price for price in said if price is not None]
        plain = [price for price in said if isinstance(price, Decimal)]
        found[kind] = float(plain[0]) if len(plain) == len(today) and len(set(plain)) == 1 else None
        if len(plain) < len(said):
            notes.append(f"The price of {kind} depends on the length of the prompt.")
        elif len(set(plain)) > 1:
            notes.append(f"The price of {kind} depends on the time of day.")
    if today[0].requests_kcount is not None:
        notes.append("Requests cost something beside their tokens.")
    return Prices(**found), tuple(notes)


def _reached(price: "Decimal | TieredPrices | None", model: "ModelInfo") -> "Decimal | TieredPrices | None":
    """The one price, where a dearer tier begins behind the longest prompt there can be."""
    if price is None or isinstance(price, Decimal) or not model.context_window:
        return price
    return price.base if all(tier.start >= model.context_window for tier in price.tiers) else price


def _at_all_times(model: "ModelInfo", now: datetime) -> "list[ModelPrice]":
    """The prices of now and of every part of this day."""
    from genai_prices.types import ModelPrice, TimeOfDateConstraint

    turns = [now]
    for one in () if isinstance(model.prices, ModelPrice) else model.prices:
        if isinstance(one.constraint, TimeOfDateConstraint):
            turns += (datetime.combine(now, at, UTC) for at in (one.constraint.start_time, one.constraint.end_time))
    return [model.get_prices(turn) for turn in turns]

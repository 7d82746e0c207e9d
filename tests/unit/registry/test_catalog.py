"""What the catalog knows of a model, and what it leaves unknown."""

import subprocess
import sys
from datetime import UTC, datetime, time
from decimal import Decimal

import pytest
from genai_prices.types import (
    ClauseEquals,
    ConditionalPrice,
    ModelInfo,
    ModelPrice,
    Provider,
    Tier,
    TieredPrices,
    TimeOfDateConstraint,
)

from gateway.domain import Model, Prices
from gateway.registry import Database, ModelStore, NewModel, Registry
from gateway.registry.catalog import Catalog, is_open
from gateway.settings import Settings

OPENAI = "https://api.openai.com/v1"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.read()


def model(**given: object) -> Model:
    return Model(**{"id": "m", "name": "m", "model_id": "gpt-4o-mini", "base_url": OPENAI, **given})  # type: ignore[arg-type]


def selling(context_window: int | None = 1_000_000, prices: object = None, **price: object) -> Catalog:
    """A catalog of one model at these prices."""
    sold = ModelInfo("m", ClauseEquals("m"), context_window=context_window, prices=prices or ModelPrice(**price))  # type: ignore[arg-type]
    return Catalog([Provider("acme", "Acme", "https://api[.]acme[.]com", models=[sold])])


def prices_at(sold: Catalog) -> tuple[Prices, tuple[str, ...]]:
    entry = sold.at("https://api.acme.com/v1", "m")
    assert entry is not None
    return entry.prices, entry.notes


def test_a_silent_row_is_completed(catalog: Catalog) -> None:
    full = catalog.complete(model())
    assert (full.prices.input, full.prices.output, full.context_length) == (0.15, 0.6, 128_000)
    assert (full.prices_from, full.context_length_from) == ("catalog", "catalog")


def test_what_the_row_says_wins_and_prices_are_taken_as_a_whole(catalog: Catalog) -> None:
    full = catalog.complete(model(prices=Prices(input=9.0), context_length=1000))
    assert (full.prices, full.context_length) == (Prices(input=9.0), 1000)
    assert (full.prices_from, full.context_length_from) == ("model", "model")
    half = catalog.complete(model(prices=Prices(input=9.0)))
    assert (half.prices, half.context_length) == (Prices(input=9.0), 128_000)
    assert (half.prices_from, half.context_length_from) == ("model", "catalog")


@pytest.mark.parametrize(
    ("base_url", "model_id"),
    [
        ("https://llm.corp.example.org/v1", "gpt-4o-mini"),  # somebody else sells it, at a price of his own
        ("http://127.0.0.1:8080/v1", "gpt-4o-mini"),
        ("http://localhost:11434/v1", "gpt-4o-mini"),
        (OPENAI, "ft:gpt-4o-mini:acme::1"),
        (OPENAI, "gpt-17"),
        ("", "gpt-4o-mini"),
        ("https://[broken", "gpt-4o-mini"),
    ],
)
def test_what_is_not_known_is_not_guessed(catalog: Catalog, base_url: str, model_id: str) -> None:
    full = catalog.complete(model(base_url=base_url, model_id=model_id))
    assert (full.prices, full.context_length) == (Prices(), None)
    assert (full.prices_from, full.context_length_from) == ("none", "none")


def test_a_price_in_tiers_is_no_one_price() -> None:
    tiers = TieredPrices(Decimal(3), [Tier(200_000, Decimal(6))])
    prices, notes = prices_at(selling(input_mtok=tiers, output_mtok=Decimal(15)))
    assert prices == Prices(input=None, output=15.0)
    assert notes == ("The price of input depends on the length of the prompt.",)


def test_a_tier_that_no_prompt_reaches_does_not_count() -> None:
    tiers = TieredPrices(Decimal(3), [Tier(200_000, Decimal(6))])
    assert prices_at(selling(200_000, input_mtok=tiers)) == (Prices(input=3.0), ())


def test_a_price_of_the_night_is_no_one_price() -> None:
    now = datetime.now(UTC)
    start, end = (time(hour=(now.hour + hours) % 24) for hours in (6, 12))
    by_day = ConditionalPrice(prices=ModelPrice(input_mtok=Decimal(2), output_mtok=Decimal(4)))
    by_night = ConditionalPrice(
        TimeOfDateConstraint(start, end), prices=ModelPrice(input_mtok=Decimal(1), output_mtok=Decimal(4))
    )
    prices, notes = prices_at(selling(prices=[by_day, by_night]))
    assert prices == Prices(input=None, output=4.0)
    assert notes == ("The price of input depends on the time of day.",)


def test_what_is_charged_beside_tokens_is_told() -> None:
    prices, notes = prices_at(selling(input_mtok=Decimal(1), requests_kcount=Decimal(5)))
    assert (prices.input, notes) == (1.0, ("Requests cost something beside their tokens.",))


def test_every_entry_of_the_package_can_be_shown(catalog: Catalog) -> None:
    entries = catalog.entries()
    assert len(entries) > 1000
    assert all(entry.provider and entry.model for entry in entries)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, True),
        ({"prices": Prices(input=1.0)}, True),
        ({"prices": Prices(input=1.0), "context_length": 1}, False),
        ({"base_url": "http://localhost:1/v1"}, False),
        ({"base_url": "http://models.local/v1"}, False),
        ({"base_url": "http://10.0.0.1/v1"}, False),
        ({"base_url": "http://[::1]/v1"}, False),
        ({"base_url": "http://vllm:8000/v1"}, False),
    ],
)
def test_the_catalog_is_asked_only_where_it_could_know(given: dict[str, object], expected: bool) -> None:
    assert is_open(model(**given)) is expected


async def test_models_of_the_snapshot_are_complete_and_looked_up_once(settings: Settings) -> None:
    database = await Database.open(settings)
    store = ModelStore(database)
    known = await store.add(NewModel(name="known", model_id="gpt-4o-mini", base_url=OPENAI))
    said = await store.add(NewModel(name="said", model_id="gpt-4o-mini", base_url=OPENAI, prices={"input": 1}))
    registry = await Registry.open(settings)
    first = {name: registry.snapshot.models_named(name)[0] for name in ("known", "said")}
    await store.update(said.id, {"context_length": 1000})
    await registry.refresh()
    second = {name: registry.snapshot.models_named(name)[0] for name in ("known", "said")}
    await registry.aclose()
    await database.aclose()
    assert (first["known"].prices.input, first["known"].context_length) == (0.15, 128_000)
    assert (first["said"].prices, first["said"].context_length) == (Prices(input=1.0), 128_000)
    assert second["known"] is first["known"], known.id
    assert (second["said"].context_length, second["said"].context_length_from) == (1000, "model")


async def test_the_default_of_chatbot_uis_column_says_nothing(settings: Settings) -> None:
    database = await Database.open(settings)
    store = ModelStore(database)
    await store.add(NewModel(name="a", model_id="m", base_url="http://127.0.0.1:1/v1", context_length=4096))
    await store.add(NewModel(name="b", model_id="m", base_url="http://127.0.0.1:1/v1", context_length=4095))
    registry = await Registry.open(settings)
    lengths = [registry.snapshot.models_named(name)[0].context_length for name in "ab"]
    await registry.aclose()
    await database.aclose()
    assert lengths == [None, 4095]


def test_nothing_is_read_for_models_on_private_addresses() -> None:
    code = """
import asyncio, sys
from gateway.domain import Model
from gateway.registry import catalog
models = {"a": Model(id="a", name="a", model_id="gpt-4o", base_url=sys.argv[1])}
asyncio.run(catalog.filled(models))
print("genai_prices" in sys.modules)
"""
    shown = [
        subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True, check=True).stdout.strip()
        for url in ("http://127.0.0.1:8080/v1", OPENAI)
    ]
    assert shown == ["False", "True"]

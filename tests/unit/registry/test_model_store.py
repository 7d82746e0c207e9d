"""The store of models: what it takes, what it gives back, what it refuses."""

import uuid

import pytest

from gateway.registry import (
    Conflict,
    Database,
    InvalidValue,
    ModelStore,
    NewModel,
    NotFound,
    Registry,
)
from gateway.secrets import Secret
from gateway.settings import Settings

OWNER = "0b1c2d3e-0000-4000-8000-00000000000a"


def new(**changes: object) -> NewModel:
    return NewModel(**{"name": "m", "model_id": "gpt", "base_url": "https://a.example/v1", **changes})  # type: ignore[arg-type]


async def test_everything_given_reaches_the_snapshot(database: Database, settings: Settings) -> None:
    added = await ModelStore(database).add(
        new(
            api_key=Secret(" sk-1\n"),
            user_id=OWNER.upper(),
            sharing="public",
            description="d",
            context_length=8192,
            provider="acme",
            parameters={"top_p": 0.5},
            quirks={"omit": ["user"], "rename": {"a": "b"}},
            timeouts={"total": 30},
            headers={"x-org": "o"},
            prices={"input": 2.5},
            capabilities=("vision",),
        )
    )
    registry = await Registry.open(settings)
    model = registry.snapshot.model(added.id)
    await registry.aclose()
    assert model is not None
    assert (model.api_key.reveal(), model.owner, model.sharing) == (" sk-1\n", OWNER, "public")
    assert (model.description, model.context_length, model.provider) == ("d", 8192, "acme")
    assert (model.parameters, model.headers, model.capabilities) == ({"top_p": 0.5}, {"x-org": "o"}, {"vision"})
    assert (model.quirks.omit, model.quirks.rename) == ({"user"}, {"a": "b"})
    assert (model.timeouts.total, model.timeouts.connect, model.prices.input) == (30, 5.0, 2.5)


async def test_defaults_are_those_of_chatbot_ui(database: Database) -> None:
    added = await ModelStore(database).add(new())
    assert (added.sharing, added.context_length, added.description, added.updated_at) == ("private", 4096, "", None)
    assert added.created_at.tzinfo is not None


@pytest.mark.parametrize("base_url", ["", "not a url", "file:///etc/passwd", "https://ä.example/?a=b#c", "x" * 1000])
async def test_the_table_takes_any_base_url_chatbot_uis_takes(database: Database, base_url: str) -> None:
    added = await ModelStore(database).add(new(base_url=base_url))
    assert (await ModelStore(database).find(added.id)).base_url == base_url


@pytest.mark.parametrize(
    ("field", "limit"), [("name", 100), ("description", 500), ("model_id", 1000), ("base_url", 1000), ("api_key", 1000)]
)
async def test_chatbot_uis_limits_hold_to_the_character(database: Database, field: str, limit: int) -> None:
    def value(length: int) -> object:
        return Secret("ü" * length) if field == "api_key" else "ü" * length

    await ModelStore(database).add(new(**{field: value(limit)}))
    with pytest.raises(InvalidValue, match=f"has {limit + 1} characters, at most {limit}"):
        await ModelStore(database).add(new(**{field: value(limit + 1)}))


@pytest.mark.parametrize("value", ["a\0b", "half a pair \ud800"])
async def test_text_no_database_holds_is_refused_in_words(database: Database, value: str) -> None:
    with pytest.raises(InvalidValue):
        await ModelStore(database).add(new(description=value))
    assert await ModelStore(database).all() == []


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("timeouts", {"total": "soon"}),
        ("timeouts", {"totl": 1}),
        ("quirks", {"omit": "user"}),
        ("headers", {"x-a": "1\r\nx-b: 2"}),
        ("headers", {"x a": "1"}),
        ("parameters", []),
        ("capabilities", {"a": 1}),
    ],
)
async def test_columns_the_gateway_could_not_read_are_refused(database: Database, field: str, value: object) -> None:
    with pytest.raises(InvalidValue):
        await ModelStore(database).add(new(**{field: value}))


async def test_a_used_id_is_refused(database: Database) -> None:
    model_id = str(uuid.uuid4())
    await ModelStore(database).add(new(id=model_id))
    with pytest.raises(Conflict, match=f"A model with the id {model_id} exists"):
        await ModelStore(database).add(new(id=model_id.upper()))
    assert len(await ModelStore(database).all()) == 1


async def test_an_id_that_is_no_uuid_is_refused(database: Database) -> None:
    with pytest.raises(InvalidValue, match="'abc' is not a UUID"):
        await ModelStore(database).add(new(id="abc"))


async def test_a_name_of_several_models_needs_an_id(database: Database) -> None:
    store = ModelStore(database)
    first, second = await store.add(new()), await store.add(new())
    with pytest.raises(Conflict, match="2 models are called 'm'"):
        await store.find("m")
    assert (await store.find(first.id.upper())).id == first.id
    await store.remove(second.id)
    assert (await store.find("m")).id == first.id


async def test_only_what_is_given_changes(database: Database) -> None:
    store = ModelStore(database)
    added = await store.add(new(api_key=Secret("sk-1"), user_id=OWNER))
    changed = await store.update(added.id, {"name": "n", "user_id": None})
    assert (changed.name, changed.owner, changed.has_api_key) == ("n", None, True)
    assert changed.updated_at is not None
    with pytest.raises(InvalidValue, match="id cannot be changed"):
        await store.update(added.id, {"id": OWNER})


async def test_what_does_not_exist_is_not_found(database: Database) -> None:
    store = ModelStore(database)
    for action in (store.find("x"), store.update(OWNER, {"name": "n"}), store.remove(OWNER)):
        with pytest.raises(NotFound):
            await action

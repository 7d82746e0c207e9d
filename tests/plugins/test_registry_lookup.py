"""The registry's lookup and the virtual keys' authenticator, as the default plugins hand them over."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import gateway_keys
import gateway_registry
from gateway import Credentials, ModelNotFound, Principal, Secret
from gateway.registry import KeyStore, ModelStore, NewModel, NewRoute, Registry, RouteStore, StoredTarget
from gateway.settings import Settings

ANN, BOB = "0b1c2d3e-0000-4000-8000-00000000000a", "0b1c2d3e-0000-4000-8000-00000000000b"
UNKNOWN = "ffffffff-0000-4000-8000-000000000000"
Add = Callable[..., Awaitable[str]]


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[Registry]:
    opened = await Registry.open(Settings(data_dir=tmp_path / "data"))
    yield opened
    await opened.aclose()


@pytest.fixture
def add(registry: Registry) -> Add:
    """Adds a model and returns its id once the snapshot has it."""

    async def added(name: str = "m", **columns: Any) -> str:
        new = NewModel(name=name, model_id="gpt", base_url="https://a.example", **columns)
        model = await ModelStore(registry.database).add(new)
        await registry.refresh()
        return model.id

    return added


async def found(registry: Registry, name: str, principal: Principal) -> str | None:
    """The id of the model that the lookup finds; a malformed id and an unknown one alike are None."""
    [lookup] = gateway_registry.register_model_lookups(registry)  # a registry has the one attribute it asks for
    try:
        route = await lookup.find(name, principal)
    except ModelNotFound:
        return None
    if route is None:
        return None
    assert route.is_model
    [model] = route.targets
    return model.id


@pytest.mark.parametrize(
    ("owner", "sharing", "caller", "usable"),
    [
        (ANN, "private", ANN, True),
        (ANN, "private", BOB, False),
        (ANN, "private", None, False),
        (ANN, "public", BOB, True),
        (ANN, "public", None, True),
        (None, "private", None, True),
        (None, "private", ANN, False),
        (None, "public", ANN, True),
    ],
)
async def test_own_and_shared_models_are_found_by_id_and_name(
    registry: Registry, add: Add, owner: str | None, sharing: str, caller: str | None, usable: bool
) -> None:
    model_id = await add(user_id=owner, sharing=sharing)
    for name in (model_id, "m"):
        assert await found(registry, name, Principal("k", caller)) == (model_id if usable else None)


async def test_scopes_do_not_widen_ownership(registry: Registry, add: Add) -> None:
    model_id = await add(user_id=ANN)
    assert await found(registry, model_id, Principal("k", None, frozenset({"chat", "admin"}))) is None


async def test_the_open_routes_caller_finds_every_model(registry: Registry, add: Add) -> None:
    model_id = await add(user_id=ANN)
    assert await found(registry, model_id, Principal("open", unrestricted=True)) == model_id


async def test_an_own_model_wins_over_a_shared_one_of_the_same_name(registry: Registry, add: Add) -> None:
    shared, own = await add(user_id=BOB, sharing="public"), await add(user_id=ANN)
    assert await found(registry, "m", Principal("k", ANN)) == own
    assert await found(registry, "m", Principal("k", None)) == shared


async def test_an_ambiguous_name_is_not_found_but_its_ids_are(registry: Registry, add: Add) -> None:
    ids = [await add(user_id=BOB, sharing="public") for _ in range(2)]
    assert await found(registry, "m", Principal("k", ANN)) is None
    assert [await found(registry, each, Principal("k", ANN)) for each in ids] == ids


@pytest.fixture
def add_route(registry: Registry) -> Add:
    """Adds a route over models and returns its id once the snapshot has it."""

    async def added(name: str, *models: str, **columns: Any) -> str:
        new = NewRoute(name=name, targets=[StoredTarget(model) for model in models], **columns)
        route = await RouteStore(registry.database).add(new)
        await registry.refresh()
        return route.id

    return added


async def route_found(registry: Registry, name: str, principal: Principal) -> str | None:
    """The id of the route that the lookup finds; a route of one has none."""
    [lookup] = gateway_registry.register_model_lookups(registry)
    route = await lookup.find(name, principal)
    return None if route is None else route.id


async def test_a_route_is_found_by_name_and_id(registry: Registry, add: Add, add_route: Add) -> None:
    one, two = await add("one"), await add("two")
    route_id = await add_route("both", two, one, strategy="weighted")
    [lookup] = gateway_registry.register_model_lookups(registry)
    for name in ("both", route_id):
        route = await lookup.find(name, Principal("k"))
        assert route is not None
        assert ([model.id for model in route.targets], route.strategy, route.is_model) == (
            [two, one],
            "weighted",
            False,
        )


async def test_a_foreign_private_route_is_not_found(registry: Registry, add: Add, add_route: Add) -> None:
    model_id = await add(sharing="public")
    route_id = await add_route("theirs", model_id, user_id=ANN)
    for name in ("theirs", route_id):
        assert await route_found(registry, name, Principal("k", BOB)) is None
        assert await route_found(registry, name, Principal("k", ANN)) == route_id


async def test_an_own_route_wins_over_a_shared_one(registry: Registry, add: Add, add_route: Add) -> None:
    model_id = await add(sharing="public")
    shared = await add_route("fast", model_id, user_id=BOB, sharing="public")
    own = await add_route("fast", model_id, user_id=ANN)
    assert await route_found(registry, "fast", Principal("k", ANN)) == own
    assert await route_found(registry, "fast", Principal("k", None)) == shared


async def test_a_name_of_a_model_and_a_route_is_not_found_but_their_ids_are(
    registry: Registry, add: Add, add_route: Add
) -> None:
    model_id = await add("same")
    route_id = await add_route("same", model_id)
    assert await route_found(registry, "same", Principal("k")) is None
    assert await route_found(registry, route_id, Principal("k")) == route_id
    assert await found(registry, model_id, Principal("k")) == model_id


async def test_a_disabled_model_is_not_found(registry: Registry, add: Add) -> None:
    model_id = await add(enabled=False)
    assert await found(registry, model_id, Principal("k")) is None
    assert await found(registry, "m", Principal("k")) is None


async def test_a_model_whose_name_looks_like_an_id_is_found_by_it(registry: Registry, add: Add) -> None:
    assert await found(registry, UNKNOWN, Principal("k")) is None
    model_id = await add(UNKNOWN)
    assert await found(registry, UNKNOWN, Principal("k")) == model_id


def spellings(model_id: str) -> list[str]:
    digits = model_id.replace("-", "")
    groups = [digits[place : place + 4] for place in range(0, 32, 4)]
    hyphens = [
        "".join(itertools.chain(*zip(groups, each, strict=False), groups[-1:])) for each in (["-"] * 7, [""] * 7)
    ]
    return [model_id, model_id.upper(), "{" + model_id + "}", *hyphens]


async def test_every_spelling_postgresql_takes_for_a_uuid_is_taken(registry: Registry, add: Add) -> None:
    model_id = await add()
    for spelling in spellings(model_id):
        assert await found(registry, spelling, Principal("k")) == model_id


@pytest.mark.parametrize(
    "text",
    [
        *("", "abc", "undefined", "null", "m", 'a"b', UNKNOWN[:-1], UNKNOWN + "0", UNKNOWN + "\n", " " + UNKNOWN),
        *("{" + UNKNOWN, UNKNOWN + "}", "urn:uuid:" + UNKNOWN, UNKNOWN.replace("f", "g", 1), "f-" + UNKNOWN[1:]),
        *(UNKNOWN.replace("-", "--"), UNKNOWN + "-", "\uff10" * 32),
    ],
)
async def test_other_texts_are_names_nobody_has(registry: Registry, text: str) -> None:
    [lookup] = gateway_registry.register_model_lookups(registry)
    assert await lookup.find(text, Principal("k")) is None


async def test_foreign_and_unknown_names_are_refused_alike(registry: Registry, add: Add) -> None:
    await add("theirs", user_id=ANN)
    [lookup] = gateway_registry.register_model_lookups(registry)
    assert [await lookup.find(name, Principal("k", BOB)) for name in ("theirs", "nobody")] == [None, None]


async def test_an_unknown_id_is_left_to_the_next_lookup(registry: Registry) -> None:
    [lookup] = gateway_registry.register_model_lookups(registry)
    assert await lookup.find(UNKNOWN, Principal("k")) is None


async def test_a_virtual_key_says_who_calls(registry: Registry) -> None:
    key, token = await KeyStore(registry.database).create("k", owner=ANN, scopes=["admin"])
    await registry.refresh()
    [authenticator] = gateway_keys.register_authenticators(SimpleNamespace(snapshot=registry.snapshot))
    assert await authenticator.authenticate(Credentials(token)) == Principal(
        key.id, ANN, frozenset({"admin"}), name="k"
    )


@pytest.mark.parametrize("token", [None, Secret(""), Secret("sk-somebody-elses"), Secret("gw-" + "0" * 49)])
async def test_other_credentials_are_left_to_the_next_authenticator(registry: Registry, token: Secret | None) -> None:
    [authenticator] = gateway_keys.register_authenticators(registry)
    assert await authenticator.authenticate(Credentials(token)) is None

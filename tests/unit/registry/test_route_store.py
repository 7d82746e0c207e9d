"""The store of routes: what it takes, what it gives back, what it refuses, and what the snapshot makes of it."""

from collections.abc import Callable

import pytest
import sqlalchemy as sa

from gateway.registry import (
    Conflict,
    Database,
    InvalidValue,
    ModelStore,
    NewModel,
    NewRoute,
    NotFound,
    Registry,
    RouteStore,
    StoredTarget,
)
from gateway.registry.tables import routes
from gateway.terms import Condition, Hedge, RouteOptions, Terms

OWNER = "0b1c2d3e-0000-4000-8000-00000000000a"
UNKNOWN = "ffffffff-0000-4000-8000-000000000000"
Eventually = Callable[..., object]


async def model(database: Database, name: str = "m") -> str:
    added = await ModelStore(database).add(NewModel(name=name, model_id="gpt", base_url="https://a.example/v1"))
    return added.id


async def test_everything_given_reaches_the_snapshot(database: Database, registry: Registry) -> None:
    one, two = await model(database, "one"), await model(database, "two")
    targets = [StoredTarget(two, 9.5, 0, ("tag:big", "tokens>=100")), StoredTarget(one.upper(), priority=1)]
    options = RouteOptions(affinity="header:X-Session", hedge=Hedge(90, 0.1))
    added = await RouteStore(database).add(
        NewRoute(name="r", targets=targets, strategy="sticky", options=options, user_id=OWNER, sharing="public")
    )
    await registry.refresh()
    route = registry.snapshot.route(added.id)
    assert route is not None
    assert [target.id for target in route.targets] == [two, one]
    assert route.terms_of(route.targets[0]) == Terms(9.5, 0, (Condition("tag", "big"), Condition("longer", tokens=100)))
    assert route.terms_of(route.targets[1]) == Terms(priority=1)
    assert (route.strategy, route.owner, route.sharing) == ("sticky", OWNER, "public")
    assert route.options == RouteOptions(affinity="header:x-session", hedge=Hedge(90, 0.1))
    assert registry.snapshot.routes_named("r") == [route] == registry.snapshot.routes()


async def test_the_snapshot_follows_a_routes_changes_and_its_models(database: Database, registry: Registry) -> None:
    one, two = await model(database, "one"), await model(database, "two")
    store = RouteStore(database)
    added = await store.add(NewRoute(name="r", targets=[StoredTarget(one), StoredTarget(two)]))
    await registry.refresh()
    before = registry.snapshot.generation
    await store.update(added.id, {"targets": [StoredTarget(two), StoredTarget(one, weight=3)]})
    await registry.refresh()
    assert registry.snapshot.generation > before
    assert [target.name for target in registry.snapshot.routes()[0].targets] == ["two", "one"]
    await ModelStore(database).update(two, {"context_length": 7})
    await registry.refresh()
    assert registry.snapshot.routes()[0].targets[0].context_length == 7
    await ModelStore(database).remove(two)
    await registry.refresh()
    assert [target.name for target in registry.snapshot.routes()[0].targets] == ["one"]
    await ModelStore(database).remove(one)
    await registry.refresh()
    assert registry.snapshot.routes() == []


async def test_a_disabled_route_is_not_served_and_a_removed_one_neither(database: Database, registry: Registry) -> None:
    one = await model(database)
    store = RouteStore(database)
    added = await store.add(NewRoute(name="r", targets=[StoredTarget(one)], enabled=False))
    await registry.refresh()
    assert registry.snapshot.route(added.id) is None
    await store.update(added.id, {"enabled": True})
    await registry.refresh()
    assert registry.snapshot.route(added.id) is not None
    await store.remove(added.id)
    await registry.refresh()
    assert registry.snapshot.route(added.id) is None


async def test_a_row_somebody_else_wrote_wrong_takes_no_other_away(database: Database, registry: Registry) -> None:
    one = await model(database)
    store = RouteStore(database)
    wrong = await store.add(NewRoute(name="wrong", targets=[StoredTarget(one)]))
    right = await store.add(NewRoute(name="right", targets=[StoredTarget(one)]))
    async with database.change() as connection:
        bad = [{"model": one, "when": ["moon:full"]}]
        await connection.execute(sa.update(routes).where(routes.c.id == wrong.id).values(targets=bad))
    await registry.refresh()
    assert [route.id for route in registry.snapshot.routes()] == [right.id]


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"weight": -1}, "the weight -1 is not a number from 0 up"),
        ({"weight": float("nan")}, "the weight nan is not"),
        ({"weight": float("inf")}, "the weight inf is not"),
        ({"priority": -1}, "the priority -1 is not"),
        ({"when": ("moon:full",)}, "the condition 'moon:full' is none of tag:NAME"),
        ({"when": ("header:authorization=x",)}, "the header authorization holds a credential"),
        ({"when": ("tokens<many",)}, "the condition 'tokens<many' is none of"),
    ],
)
async def test_terms_that_cannot_be_are_refused_in_words(
    database: Database, target: dict[str, object], words: str
) -> None:
    one = await model(database)
    with pytest.raises(InvalidValue, match=f"The target {one} cannot be used: {words}"):
        await RouteStore(database).add(NewRoute(name="r", targets=[StoredTarget(one, **target)]))  # type: ignore[arg-type]
    assert await RouteStore(database).all() == []


async def test_routes_that_cannot_be_are_refused_in_words(database: Database) -> None:
    store, one = RouteStore(database), await model(database)
    for targets, error, words in (
        ([], InvalidValue, "needs a target"),
        ([StoredTarget(one), StoredTarget(one)], InvalidValue, "is a target twice"),
        ([StoredTarget(one), StoredTarget(UNKNOWN)], NotFound, f"There is no model with the id {UNKNOWN}"),
        ([StoredTarget("m")], InvalidValue, "is not a UUID"),
    ):
        with pytest.raises(error, match=words):
            await store.add(NewRoute(name="r", targets=targets))
    for options, words in (
        (RouteOptions(affinity="moon"), "the affinity 'moon' is none of key, user or header:NAME"),
        (RouteOptions(hedge=Hedge(percentile=100)), "the percentile 100 is not"),
        (RouteOptions(hedge=Hedge(budget=0)), "the budget 0 is not"),
    ):
        with pytest.raises(InvalidValue, match=words):
            await store.add(NewRoute(name="r", targets=[StoredTarget(one)], options=options))


async def test_a_name_of_several_routes_needs_an_id(database: Database) -> None:
    store, target = RouteStore(database), StoredTarget(await model(database))
    first, second = [await store.add(NewRoute(name="r", targets=[target])) for _ in range(2)]
    with pytest.raises(Conflict, match="2 routes are called 'r'"):
        await store.find("r")
    assert (await store.find(first.id.upper())).id == first.id
    await store.remove(second.id)
    assert (await store.find("r")).id == first.id
    with pytest.raises(Conflict, match=f"A route with the id {first.id} exists"):
        await store.add(NewRoute(id=first.id, name="s", targets=[target]))


async def test_what_does_not_exist_is_not_found(database: Database) -> None:
    store = RouteStore(database)
    for action in (store.find("x"), store.update(UNKNOWN, {"name": "n"}), store.remove(UNKNOWN)):
        with pytest.raises(NotFound):
            await action


@pytest.mark.parametrize(
    "text",
    ["tag:premium", "key:ci", "header:x-team", "header:x-team=red", "header:x-team=", "tokens<8000", "tokens>=1"],
)
def test_conditions_are_written_as_they_are_read(text: str) -> None:
    assert str(Condition.read(f" {text} ")) == text

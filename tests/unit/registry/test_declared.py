"""Models and routes of the settings: served, shown, never changed, and refused where they stand."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from sqlalchemy.engine import make_url

from gateway.cli import main
from gateway.errors import Overloaded
from gateway.registry import (
    Conflict,
    Database,
    DatabaseUnavailable,
    KeyStore,
    ModelStore,
    NewModel,
    NewRoute,
    Registry,
    RouteStore,
    StoredTarget,
)
from gateway.registry.declared import declared
from gateway.registry.postgres import behind_pgbouncer
from gateway.settings import Settings, load_settings
from gateway.terms import Condition, Hedge, RouteOptions, Terms

FILE = """
[models.big]
base_url = "https://a.example/v1"
model_id = "gpt"
api_key = { env = "BIG_KEY" }
headers = { x-org = { env = "BIG_ORG" } }
timeouts = { total = 30 }
prices = { input = 1.5 }
context_length = 9000
sharing = "public"

[models."other name"]
base_url = "https://b.example/v1"
model_id = "m"
api_key = { file = "key" }

[routes.chat]
strategy = "weighted"
targets = ["big", { model = "other name", weight = 0.5, priority = 1, when = ["tag:a", "tokens<100"] }]
affinity = "header:X-S"
hedge = { percentile = 90 }
"""
ENVIRON = {"BIG_KEY": "sk-canary-big", "BIG_ORG": "canary-org"}


def loaded(folder: Path, text: str, environ: dict[str, str] | None = None) -> Settings:
    (folder / "key").write_text("sk-canary-file\n")
    (folder / "gateway.toml").write_text(text)
    environment = {"GATEWAY_DATA_DIR": str(folder / "data"), **ENVIRON, **(environ or {})}
    return load_settings(folder / "gateway.toml", environment)


async def test_they_are_served_beside_those_of_the_registry(tmp_path: Path) -> None:
    settings = loaded(tmp_path, FILE)
    registry = await Registry.open(settings)
    try:
        stored = await ModelStore(registry.database).add(
            NewModel(name="stored", model_id="m", base_url="https://c.example/v1")
        )
        await registry.refresh()
        snapshot = registry.snapshot
        [big], [other] = snapshot.models_named("big"), snapshot.models_named("other name")
        assert (big.api_key.reveal(), big.headers, big.sharing) == (
            "sk-canary-big",
            {"x-org": "canary-org"},
            "public",
        )
        assert (big.timeouts.total, big.timeouts.connect, big.prices.input, big.context_length) == (30, 5, 1.5, 9000)
        assert (other.api_key.reveal(), other.owner, other.sharing) == ("sk-canary-file", None, "private")
        assert snapshot.model(big.id) is big
        assert {model.id for model in snapshot.models()} == {big.id, other.id, stored.id}
        [chat] = snapshot.routes()
        assert snapshot.routes_named("chat") == [chat]
        assert chat.targets == (big, other)
        assert chat.terms_of(other) == Terms(0.5, 1, (Condition("tag", "a"), Condition("shorter", tokens=100)))
        assert chat.options == RouteOptions(affinity="header:x-s", hedge=Hedge(90))
    finally:
        await registry.aclose()


async def test_a_route_of_either_may_have_models_of_the_other(tmp_path: Path) -> None:
    database = await Database.open(loaded(tmp_path, FILE))
    stored = await ModelStore(database).add(NewModel(name="stored", model_id="m", base_url="https://c.example/v1"))
    big = await ModelStore(database).find("big")
    await RouteStore(database).add(NewRoute(name="r", targets=[StoredTarget(big.id), StoredTarget(stored.id)]))
    await database.aclose()
    registry = await Registry.open(loaded(tmp_path, f'{FILE}\n[routes.mixed]\ntargets = ["big", "{stored.id}"]\n'))
    for name in ("r", "mixed"):
        [route] = registry.snapshot.routes_named(name)
        assert [target.id for target in route.targets] == [big.id, stored.id]
    await registry.aclose()


async def test_ids_follow_from_the_names(tmp_path: Path) -> None:
    found = declared(loaded(tmp_path, FILE))
    assert {model.name: id for id, model in found.models.items()} == {
        "big": "aa03c419-42a1-507c-a8d2-b3f49207e90b",
        "other name": "b2fb51ff-630e-5b58-8793-81af1e2341b6",
    }


async def test_stores_show_them_and_refuse_to_change_them_with_the_place(tmp_path: Path) -> None:
    database = await Database.open(loaded(tmp_path, FILE))
    models, routes = ModelStore(database), RouteStore(database)
    big, chat = await models.find("big"), await routes.find("chat")
    assert [model.name for model in await models.all()] == ["big", "other name"]
    assert "canary" not in repr(await models.all())
    assert (big.headers, big.has_api_key) == (("x-org",), True)
    for kind, change in (
        ("models.big", models.update(big.id, {"name": "n"})),
        ("models.big", models.remove(big.id)),
        ("routes.chat", routes.update(chat.id, {"name": "n"})),
        ("routes.chat", routes.remove(chat.id)),
    ):
        with pytest.raises(Conflict, match=rf"It is managed by the settings: change it in .*gateway\.toml: {kind}\."):
            await change
    await database.aclose()


def test_the_environment_may_say_part_of_one(tmp_path: Path) -> None:
    settings = loaded(tmp_path, FILE, {"GATEWAY_MODELS__BIG__BASE_URL": "https://z.example/v1"})
    assert {model.base_url for model in declared(settings).models.values()} == {
        "https://z.example/v1",
        "https://b.example/v1",
    }


def command(folder: Path, *arguments: str, text: str = FILE) -> Result:
    loaded(folder, text)
    environ = {"GATEWAY_DATA_DIR": str(folder / "data"), **ENVIRON}
    return CliRunner().invoke(main, ["--config", str(folder / "gateway.toml"), *arguments], env=environ)


def test_the_command_line_shows_them_with_their_place_and_changes_none(tmp_path: Path) -> None:
    listed = command(tmp_path, "models", "list").stdout.splitlines()
    assert "MANAGED BY" in listed[0]
    assert listed[1].endswith("gateway.toml: models.big")
    [route] = json.loads(command(tmp_path, "routes", "list", "--json").stdout)
    assert route["managed_by"].endswith("gateway.toml: routes.chat")
    assert (
        "big, other name,weight=0.5,priority=1,when=tag:a,when=tokens<100" in command(tmp_path, "routes", "list").stdout
    )
    for arguments in (
        ("models", "update", "big", "--disable"),
        ("models", "remove", "big"),
        ("routes", "remove", "chat"),
    ):
        refused = command(tmp_path, *arguments)
        assert refused.exit_code == 1
        assert "It is managed by the settings: change it in" in refused.stderr
    assert "canary" not in command(tmp_path, "models", "show", "big").output


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_unknown_strategy_keeps_the_server_from_starting(tmp_path: Path, workers: str) -> None:
    text = FILE.replace('"weighted"', '"wieghted"')
    ended = command(tmp_path, "serve", "--port", "0", "--workers", workers, text=text)
    assert ended.exit_code == 2
    assert "routes.chat.strategy: no enabled plugin provides the strategy 'wieghted'; did you mean 'weighted'?" in (
        ended.stderr
    )


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_unknown_provider_keeps_the_server_from_starting(tmp_path: Path, workers: str) -> None:
    text = FILE + '\n[models.odd]\nmodel_id = "x"\nbase_url = "https://192.0.32.8/v1"\nprovider = "gorq"\n'
    ended = command(tmp_path, "serve", "--port", "0", "--workers", workers, text=text)
    assert ended.exit_code == 2
    assert "models.odd.provider: no enabled plugin provides the provider 'gorq'; did you mean 'groq'?" in ended.stderr


class Wire:
    """Leads from a port of its own to a database, once it is let."""

    def __init__(self, url: str) -> None:
        there = make_url(url)
        self._there, self._socket = there, there.query.get("host")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        here = there.set(host="127.0.0.1", port=self._port).difference_update_query(["host"])
        if behind_pgbouncer(there):  # its port says so, and ours does not
            here = here.update_query_dict({"pgbouncer": "true"})
        self.url = here.render_as_string(hide_password=False)

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if self._socket:
            return await asyncio.open_unix_connection(f"{self._socket}/.s.PGSQL.5432")
        return await asyncio.open_connection(self._there.host, self._there.port)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[None]:
        tasks: set[asyncio.Task[None]] = set()

        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                while data := await reader.read(65536):
                    writer.write(data)
                    await writer.drain()
            writer.close()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inward, outward = await self._reach()
            tasks.update((asyncio.create_task(carry(reader, outward)), asyncio.create_task(carry(inward, writer))))

        server = await asyncio.start_server(accept, "127.0.0.1", self._port)
        try:
            yield
        finally:
            server.close()
            await asyncio.gather(*tasks)


@pytest.mark.postgres
async def test_they_are_served_while_postgres_cannot_be_reached_and_the_rest_once_it_can(
    tmp_path: Path, fresh_postgres_url: str, eventually: Callable[..., Awaitable[None]]
) -> None:
    wire = Wire(fresh_postgres_url)
    away = loaded(tmp_path, FILE, {"GATEWAY_DATABASE_URL": wire.url})
    database = await Database.open(loaded(tmp_path, FILE, {"GATEWAY_DATABASE_URL": fresh_postgres_url}))
    await ModelStore(database).add(NewModel(name="stored", model_id="m", base_url="https://c.example/v1"))
    _, token = await KeyStore(database).create("k")
    await database.aclose()
    registry = await Registry.open(away)
    try:
        assert [model.name for model in registry.snapshot.models()] == ["big", "other name"]
        assert [route.name for route in registry.snapshot.routes()] == ["chat"]
        with pytest.raises(DatabaseUnavailable):
            await registry.ping()
        with pytest.raises(Overloaded, match="Virtual keys cannot be checked"):
            registry.snapshot.principal(token.reveal())
        assert registry.snapshot.principal("sk-somebody-elses") is None
    finally:
        async with wire.connected():
            await eventually(lambda: registry.snapshot.models_named("stored"), seconds=60)
            assert registry.snapshot.principal(token.reveal()) is not None
            assert registry.snapshot.models_named("big")
            await registry.ping()
            await registry.aclose()


async def test_a_database_that_cannot_be_reached_is_told_where_the_settings_hold_no_model(tmp_path: Path) -> None:
    nowhere = Wire("postgresql+asyncpg://u:p@127.0.0.1/d").url
    with pytest.raises(DatabaseUnavailable):
        await Registry.open(loaded(tmp_path, "", {"GATEWAY_DATABASE_URL": nowhere}))


async def test_a_damaged_embedded_database_is_told_whatever_the_settings_hold(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "gateway.db").write_text("no database at all" * 100)
    with pytest.raises(DatabaseUnavailable):
        await Registry.open(loaded(tmp_path, FILE))

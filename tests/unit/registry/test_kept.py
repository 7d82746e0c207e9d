"""What is kept of the registry for a start without its database: whole, sealed, and refused where it is not ours."""

import json
import os
import stat
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from outage import away

from gateway.errors import Overloaded
from gateway.registry import (
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
from gateway.registry.kept import NAME, keep
from gateway.registry.rotation import prune, rotate
from gateway.registry.snapshot import contents
from gateway.registry.virtual_keys import new_token
from gateway.secrets import Secret
from gateway.settings import Settings

CANARY = "sk-canary-0123456789"
OWNER = "11111111-1111-4111-8111-111111111111"
Eventually = Callable[..., Awaitable[None]]


@pytest.fixture
def there(data_dir: Path, fresh_postgres_url: str) -> Settings:
    return Settings(data_dir=data_dir, database_url=fresh_postgres_url)


@pytest.fixture
async def nowhere(data_dir: Path) -> Settings:
    """Settings of a database that cannot be reached, and what was kept of it."""
    settings = Settings(data_dir=data_dir, database_url="postgresql+asyncpg://u:p@127.0.0.1:1/nowhere")
    embedded = Settings(data_dir=data_dir)
    await filled(embedded)
    database = await Database.open(embedded)
    keep(settings, await contents(database), database.keyring, database.index)
    await database.aclose()
    return settings


async def filled(settings: Settings) -> dict[str, str]:
    """A registry with one of everything; its virtual keys by name."""
    database = await Database.open(settings)
    try:
        model = await ModelStore(database).add(
            NewModel(
                name="m",
                model_id="up",
                base_url="https://a.example",
                api_key=Secret(CANARY),
                headers={"x-key": "canary-header"},
                parameters={"temperature": 0.5},
                user_id=OWNER,
                sharing="public",
            )
        )
        await RouteStore(database).add(NewRoute(name="r", targets=(StoredTarget(model.id, 0.5),)))
        store = KeyStore(database)
        soon = datetime.now(UTC) + timedelta(hours=1)
        made = {
            "lasts": await store.create("lasts", owner=OWNER),
            "ends": await store.create("ends", expires_at=soon),
            "revoked": await store.create("revoked"),
        }
        await store.revoke(made["revoked"][0].id)
        return {name: secret.reveal() for name, (_, secret) in made.items()}
    finally:
        await database.aclose()


async def kept(settings: Settings, eventually: Eventually) -> bytes:
    """Serve until the state is kept; the file."""
    file = settings.data_dir / NAME
    before = file.read_bytes() if file.exists() else None
    registry = await Registry.open(settings)
    try:
        await eventually(lambda: file.exists() and file.read_bytes() != before)
    finally:
        await registry.aclose()
    return file.read_bytes()


async def test_a_start_without_the_database_serves_what_was_kept_and_takes_the_database_up_again(
    there: Settings, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = await filled(there)
    registry = await Registry.open(there)
    before = registry.snapshot
    await eventually((there.data_dir / NAME).exists)
    await registry.aclose()
    async with away(there.database_url):
        registry = await Registry.open(there)
        snapshot = registry.snapshot
        assert (snapshot.is_current, registry.is_open) == (False, False)
        assert snapshot.generation == before.generation
        assert snapshot.models() == before.models()
        assert snapshot.models()[0].api_key.reveal() == CANARY
        assert snapshot.routes() == before.routes()
        for name in ("lasts", "ends"):
            assert snapshot.principal(tokens[name]) == before.principal(tokens[name]) is not None
        with pytest.raises(Overloaded):
            snapshot.principal(tokens["revoked"])
        assert snapshot.principal("sk-somebody-elses") is None
        assert registry.index == before.index
        assert "served as it was kept at" in caplog.text
    await eventually(lambda: registry.snapshot.is_current)
    assert registry.snapshot.principal(tokens["revoked"]) is None
    await registry.ping()
    await registry.aclose()


async def test_every_change_is_kept(there: Settings, eventually: Eventually) -> None:
    await filled(there)
    registry = await Registry.open(there)
    await eventually((there.data_dir / NAME).exists)
    first = (there.data_dir / NAME).read_bytes()
    _, token = await KeyStore(registry.database).create("later")
    await eventually(lambda: (there.data_dir / NAME).read_bytes() != first)
    await registry.aclose()
    async with away(there.database_url):
        registry = await Registry.open(there)
        assert registry.snapshot.principal(token.reveal()) is not None
        await registry.aclose()


async def test_the_file_is_its_owners_alone_and_tells_no_secret(there: Settings, eventually: Eventually) -> None:
    tokens = await filled(there)
    text = (await kept(there, eventually)).decode()
    assert stat.S_IMODE((there.data_dir / NAME).stat().st_mode) == 0o600
    database = await Database.open(there)
    await database.aclose()
    for secret in (CANARY, "canary-header", *tokens.values(), database.index.hex(), "a.example"):
        assert secret not in text
        assert secret.encode().hex() not in text
    assert [file.name for file in there.data_dir.glob(f".{NAME}*")] == []


def _torn(text: str) -> str:
    return text[:-40]


def _tampered(text: str) -> str:
    said = json.loads(text)
    first, *others = said["sealed"]
    at = len(first) // 2
    changed = first[:at] + ("A" if first[at] != "A" else "B") + first[at + 1 :]
    return json.dumps({**said, "sealed": [changed, *others]})


def _shorter(text: str) -> str:
    said = json.loads(text)
    return json.dumps({**said, "sealed": said["sealed"][:-1]})


def _exchanged(text: str) -> str:
    said = json.loads(text)
    first, second, *others = said["sealed"]
    return json.dumps({**said, "sealed": [first, *others, second]})


def _newer(text: str) -> str:
    return json.dumps({**json.loads(text), "format": 3})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_torn, "is damaged"),
        (lambda _: "", "is damaged"),
        (lambda _: "[]", "is damaged"),
        (lambda _: '{"format": 2, "sealed": 5}', "is damaged"),
        (lambda _: '{"format": 2, "sealed": []}', "is damaged"),
        (lambda _: '{"format": 2, "sealed": [5]}', "cannot be opened"),
        (_tampered, "was changed or cut"),
        (_shorter, "is damaged"),
        (_exchanged, "is damaged"),
        (_newer, "another version of the gateway (format 3)"),
    ],
    ids=["torn", "empty", "no object", "no list", "no piece", "no text", "tampered", "shorter", "exchanged", "newer"],
)
async def test_a_file_that_cannot_be_used_is_told_and_the_start_goes_on_without_it(
    nowhere: Settings, caplog: pytest.LogCaptureFixture, change: Callable[[str], str], said: str
) -> None:
    file = nowhere.data_dir / NAME
    registry = await Registry.open(nowhere)
    assert [model.name for model in registry.snapshot.models()] == ["m"]
    await registry.aclose()
    file.write_text(change(file.read_text()))
    registry = await Registry.open(nowhere)
    assert registry.snapshot.models() == []
    with pytest.raises(Overloaded):
        registry.snapshot.principal(new_token().reveal())
    assert "not used" in caplog.text
    assert said in caplog.text
    await registry.aclose()


async def test_a_large_registry_is_kept_in_pieces_and_none_of_another_file_is_taken(
    nowhere: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    """Sealed at once, ten thousand keys held the event loop up for a tenth of a second."""
    database = await Database.open(Settings(data_dir=nowhere.data_dir))
    tokens = [await KeyStore(database).create(f"k{number}") for number in range(60)]
    rows, file = await contents(database), nowhere.data_dir / NAME
    keep(nowhere, rows, database.keyring, database.index)
    before = json.loads(file.read_text())["sealed"]
    keep(nowhere, rows, database.keyring, database.index)
    said = json.loads(file.read_text())
    await database.aclose()
    assert len(said["sealed"]) == 5  # the state, a model, two of keys, a route
    for sealed, served in ((said["sealed"], True), ([*said["sealed"][:-1], before[-1]], False)):
        file.write_text(json.dumps({**said, "sealed": sealed}))
        registry = await Registry.open(nowhere)
        assert bool(registry.snapshot.models()) is served
        if served:
            assert all(registry.snapshot.principal(secret.reveal()) for _, secret in tokens)
        await registry.aclose()
    assert "is damaged" in caplog.text


async def test_a_file_of_another_database_is_refused(nowhere: Settings, caplog: pytest.LogCaptureFixture) -> None:
    same = "postgresql+asyncpg://another-user:p@127.0.0.1:1/nowhere?application_name=x"
    other = "postgresql+asyncpg://u:p@127.0.0.1:1/other"
    for url, names in ((same, ["m"]), (other, [])):
        registry = await Registry.open(nowhere.model_copy(update={"database_url": url}))
        assert [model.name for model in registry.snapshot.models()] == names
        await registry.aclose()
    assert caplog.text.count("of another database") == 1


@pytest.mark.parametrize(("keys", "said"), [(["another key of the ring"], "has no key"), (None, "there is no keyring")])
async def test_a_file_whose_key_is_not_here_is_refused(
    nowhere: Settings, caplog: pytest.LogCaptureFixture, keys: list[str] | None, said: str
) -> None:
    keyring = nowhere.data_dir / "keyring"
    if keys is None:
        keyring.unlink()
    else:
        keyring.write_text(json.dumps({"version": 1, "keys": keys}))
    registry = await Registry.open(nowhere)
    assert registry.snapshot.models() == []
    assert said in caplog.text
    await registry.aclose()


async def test_what_is_kept_follows_the_keyring(there: Settings, eventually: Eventually) -> None:
    await filled(there)
    registry = await Registry.open(there)
    file = there.data_dir / NAME
    await eventually(file.exists)
    await rotate(registry.database)
    newest = registry.database.keyring.current
    await eventually(lambda: json.loads(file.read_text())["sealed"][0].startswith(newest))
    await prune(registry.database)
    await registry.aclose()
    async with away(there.database_url):
        registry = await Registry.open(there)
        assert [model.api_key.reveal() for model in registry.snapshot.models()] == [CANARY]
        await registry.aclose()


async def test_a_directory_that_cannot_be_written_is_told_once_and_tried_again(
    there: Settings, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    await filled(there)
    blocked = there.data_dir / NAME
    blocked.mkdir()
    registry = await Registry.open(there)
    await eventually(lambda: "cannot be kept" in caplog.text)
    checked = registry.snapshot_age()
    await eventually(lambda: registry.snapshot_age() < checked)
    blocked.rmdir()
    await eventually(blocked.is_file)
    await registry.aclose()
    assert caplog.text.count("cannot be kept") == 1


async def test_what_a_killed_process_was_writing_is_cleared_away(there: Settings, eventually: Eventually) -> None:
    await filled(there)
    leftover, fresh = there.data_dir / f".{NAME}-old", there.data_dir / f".{NAME}-new"
    leftover.touch()
    fresh.touch()
    os.utime(leftover, (0, 0))
    await kept(there, eventually)
    assert not leftover.exists()
    assert fresh.exists()  # of another worker, which is writing


async def test_nothing_is_kept_of_an_embedded_database(sqlite_settings: Settings) -> None:
    registry = await Registry.open(sqlite_settings)
    await registry.refresh()
    await registry.aclose()
    assert not (sqlite_settings.data_dir / NAME).exists()


async def test_a_first_start_without_the_database_is_refused(data_dir: Path) -> None:
    with pytest.raises(DatabaseUnavailable):
        await Registry.open(Settings(data_dir=data_dir, database_url="postgresql+asyncpg://u:p@127.0.0.1:1/d"))


async def test_past_the_limit_only_the_settings_are_served_until_the_database_is_back(
    there: Settings, eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    tokens = await filled(there)
    declared = {"written": {"base_url": "https://b.example", "model_id": "w"}}
    short = Settings(
        data_dir=there.data_dir,
        database_url=there.database_url,
        outage_seconds=2,
        models=declared,  # type: ignore[arg-type]
    )
    registry = await Registry.open(short)
    async with away(short.database_url):
        await eventually(lambda: not registry.snapshot.is_current)
        assert {model.name for model in registry.snapshot.models()} == {"m", "written"}
        assert registry.snapshot.principal(tokens["lasts"]) is not None
        await eventually(lambda: not registry.snapshot.models_named("m"))
        assert registry.snapshot_age() > 2
        assert [model.name for model in registry.snapshot.models()] == ["written"]
        with pytest.raises(Overloaded):
            registry.snapshot.principal(tokens["lasts"])
    await eventually(lambda: registry.snapshot.models_named("m"))
    assert registry.snapshot.principal(tokens["lasts"]) is not None
    assert caplog.text.count("no longer served") == 1
    await registry.aclose()

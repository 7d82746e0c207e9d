"""Rotating the keyring: all values move under the new key, none gets lost, old keys go when nobody needs them."""

import asyncio
import json
import os

import pytest
import sqlalchemy as sa

from gateway.registry import Database, KeyringError, KeyStore, ModelStore, NewModel, Registry
from gateway.registry.keyfile import add_key
from gateway.registry.keyring import Keyring
from gateway.registry.rotation import BATCH, key_uses, prune, rotate
from gateway.registry.tables import models
from gateway.secrets import Secret
from gateway.settings import Settings

OLD, NEW = "the old secret of at least 32 characters", "the new secret of at least 32 characters"


def model(number: int = 1) -> NewModel:
    return NewModel(
        name=f"m{number}",
        model_id="m",
        base_url="https://a.example",
        api_key=Secret(f"sk-{number}"),
        headers={"x-a": f"h-{number}"},
    )


def with_keys(settings: Settings, *keys: str) -> Settings:
    return settings.model_copy(update={"secret_keys": Settings(secret_keys=keys).secret_keys})


async def fill(database: Database, count: int) -> None:
    for number in range(count):
        await ModelStore(database).add(model(number))


def all_readable(registry: Registry, count: int) -> bool:
    found = [registry.snapshot.models_named(f"m{number}") for number in range(count)]
    return [(m.api_key.reveal(), m.headers) for (m,) in found] == [
        (f"sk-{number}", {"x-a": f"h-{number}"}) for number in range(count)
    ]


async def values_by_key(database: Database) -> dict[str, int]:
    return {use.id: use.values for use in await key_uses(database)}


async def test_rotation_and_pruning_leave_everything_readable_under_a_new_key_alone(
    settings: Settings, database: Database
) -> None:
    await fill(database, 3)
    _, token = await KeyStore(database).create("k")
    [old] = await values_by_key(database)
    done = await rotate(database)
    assert (done.values, done.resumed, done.unreadable) == (7, False, ())  # keys, headers, the index secret
    assert await values_by_key(database) == {done.key: 7, old: 0}
    assert await prune(database) == (old,)
    assert [(use.id, use.role) for use in await key_uses(database)] == [(done.key, "seals")]

    registry = await Registry.open(settings)
    assert all_readable(registry, 3)
    assert registry.snapshot.principal(token.reveal()) is not None
    assert json.loads((settings.data_dir / "keyring").read_bytes())["keys"] != []
    await registry.aclose()


async def test_more_rows_than_one_transaction_takes_are_all_moved(sqlite_settings: Settings) -> None:
    database = await Database.open(sqlite_settings)
    await fill(database, BATCH + 3)
    assert (await rotate(database)).values == 2 * (BATCH + 3) + 1
    await prune(database)
    await database.aclose()
    registry = await Registry.open(sqlite_settings)
    assert all_readable(registry, BATCH + 3)
    await registry.aclose()


@pytest.mark.parametrize("row", range(4))
async def test_a_rotation_that_failed_at_any_row_is_finished_by_the_next(sqlite_settings: Settings, row: int) -> None:
    database = await Database.open(sqlite_settings)
    await fill(database, 4)
    async with database.change() as connection:
        ids = (await connection.execute(sa.select(models.c.id).order_by(models.c.id))).scalars().all()
        await connection.exec_driver_sql(
            f"CREATE TRIGGER stop BEFORE UPDATE ON models WHEN old.id = '{ids[row].replace('-', '')}' "
            "BEGIN SELECT RAISE(ABORT, 'power cut'); END"
        )
    with pytest.raises(Exception, match="power cut"):
        await rotate(database)
    registry = await Registry.open(sqlite_settings)
    assert all_readable(registry, 4)
    await registry.aclose()
    with pytest.raises(KeyringError, match="run `gateway secrets rotate` first"):
        await prune(database)
    async with database.change() as connection:
        await connection.exec_driver_sql("DROP TRIGGER stop")
    done = await rotate(database)
    assert done.resumed
    assert len(await key_uses(database)) == 2  # no third key
    await prune(database)
    assert await values_by_key(database) == {done.key: 9}
    await database.aclose()


async def test_a_rotation_that_ended_before_the_first_row_is_gone_on_with(database: Database) -> None:
    await fill(database, 1)
    assert database.keyring_file is not None
    newest = add_key(database.keyring_file).current
    done = await rotate(database)
    assert (done.key, done.resumed, done.values) == (newest, True, 3)


async def test_two_rotations_at_once_end_under_one_key_and_lose_nothing(settings: Settings, database: Database) -> None:
    await fill(database, 3)
    other = await Database.open(settings)
    first, second = await asyncio.gather(rotate(database), rotate(other))
    uses = await values_by_key(database)
    assert [values for values in uses.values() if values] == [7]
    assert {first.key, second.key} <= set(uses)
    await rotate(other)
    await prune(other)
    await other.aclose()
    registry = await Registry.open(settings)
    assert all_readable(registry, 3)
    await registry.aclose()


async def test_who_opened_the_database_before_a_rotation_seals_with_the_new_key(
    settings: Settings, database: Database
) -> None:
    other = await Database.open(settings)
    done = await rotate(other)
    await prune(other)
    await other.aclose()
    added = await ModelStore(database).add(model())
    assert await values_by_key(database) == {done.key: 3}
    await ModelStore(database).update(added.id, {"api_key": Secret("sk-2")})
    assert await values_by_key(database) == {done.key: 3}


async def test_a_value_no_key_opens_stays_as_it_is_and_holds_nothing_up(database: Database) -> None:
    await fill(database, 2)
    async with database.change() as connection:
        foreign = Keyring([OLD]).seal("sk-lost")
        await connection.execute(models.update().where(models.c.name == "m0").values(api_key=foreign))
    done = await rotate(database)
    assert done.values == 4
    [sentence] = done.unreadable
    assert "models " in sentence
    assert f"has no key '{Keyring([OLD]).current}'" in sentence
    assert (await key_uses(database))[-1][1:] == ("missing", None, 1)
    again = await rotate(database)
    assert not again.resumed  # what nobody can open is no rotation that was interrupted
    with pytest.raises(KeyringError, match="1 values are sealed with the key"):
        await prune(database)


async def test_a_damaged_value_keeps_the_old_keys(database: Database) -> None:
    await fill(database, 1)
    await rotate(database)
    async with database.change() as connection:
        await connection.exec_driver_sql(
            "UPDATE "
            + ("models" if database.engine.dialect.name == "sqlite" else "gateway.models")
            + " SET api_key = substr(api_key, 1, 40)"
        )
    with pytest.raises(KeyringError, match="was changed or cut"):
        await prune(database)
    assert len(await key_uses(database)) == 2


async def test_keys_out_of_the_settings_are_taken_as_they_stand_there(settings: Settings) -> None:
    database = await Database.open(with_keys(settings, OLD))
    await fill(database, 1)
    _, token = await KeyStore(database).create("k")
    await database.aclose()

    database = await Database.open(with_keys(settings, NEW, OLD))
    done = await rotate(database)
    assert (done.key, done.resumed, done.values) == (Keyring([NEW]).current, True, 3)
    assert (await rotate(database)).values == 0
    assert await prune(database) == Keyring([OLD]).ids
    assert not (settings.data_dir / "keyring").exists()
    await database.aclose()

    registry = await Registry.open(with_keys(settings, NEW))
    assert all_readable(registry, 1)
    assert registry.snapshot.principal(token.reveal()) is not None
    await registry.aclose()


async def test_a_running_registry_follows_rotation_and_pruning(
    settings: Settings, registry: Registry, database: Database, eventually, caplog: pytest.LogCaptureFixture
) -> None:
    await fill(database, 2)
    await eventually(lambda: registry.snapshot.models_named("m1"))
    await rotate(database)
    await prune(database)
    await ModelStore(database).update(registry.snapshot.models_named("m1")[0].id, {"description": "seen"})
    await eventually(lambda: registry.snapshot.models_named("m1")[0].description == "seen")
    assert all_readable(registry, 2)
    assert "left out" not in caplog.text


async def test_a_row_that_could_not_be_opened_is_back_once_the_keyring_is(
    settings: Settings, registry: Registry, database: Database, eventually, caplog: pytest.LogCaptureFixture
) -> None:
    whole = (settings.data_dir / "keyring").read_bytes()
    await rotate(database)
    rotated = (settings.data_dir / "keyring").read_bytes()
    (settings.data_dir / "keyring").write_bytes(whole)
    database.keyring_stamp = None
    other = settings.data_dir / "elsewhere"
    other.write_bytes(rotated)
    other.chmod(0o600)
    async with database.change() as connection:
        values = {"name": "m0", "model_id": "m", "base_url": "u", "id": "0b1c2d3e-0000-4000-8000-00000000000a"}
        await connection.execute(sa.insert(models).values(**values, api_key=database.keyring.seal("sk-0")))
    await eventually(lambda: "is left out" in caplog.text or registry.snapshot.models_named("m0"))
    other.replace(settings.data_dir / "keyring")
    await eventually(lambda: registry.snapshot.models_named("m0"))
    assert registry.snapshot.models_named("m0")[0].api_key.reveal() == "sk-0"


async def test_an_unreadable_keyring_file_is_no_reason_to_forget_the_keys(
    sqlite_settings: Settings, eventually, caplog: pytest.LogCaptureFixture
) -> None:
    database = await Database.open(sqlite_settings)
    await fill(database, 1)
    registry = await Registry.open(sqlite_settings)
    os.chmod(sqlite_settings.data_dir / "keyring", 0o644)
    os.utime(sqlite_settings.data_dir / "keyring")
    await eventually(lambda: "The keyring as it was is used on" in caplog.text)
    assert all_readable(registry, 1)
    assert registry.snapshot_age() < 15
    await registry.aclose()
    await database.aclose()

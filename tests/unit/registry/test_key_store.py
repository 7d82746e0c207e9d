"""Virtual keys: their format, their store, the first admin key."""

import asyncio
import stat
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from gateway.registry import Conflict, Database, InvalidValue, KeyStore, NotFound, Registry, ensure_first_admin_key
from gateway.registry.tables import keys
from gateway.registry.virtual_keys import digest, new_token, well_formed
from gateway.settings import Settings
from gateway.terms import Limits

OWNER = "0b1c2d3e-0000-4000-8000-00000000000a"


def test_keys_are_well_formed_and_never_the_same() -> None:
    tokens = {new_token().reveal() for _ in range(1000)}
    assert len(tokens) == 1000
    assert all(well_formed(token) and len(token) == 52 for token in tokens)


def test_any_single_changed_character_is_told_by_the_checksum() -> None:
    token = new_token().reveal()
    for place in range(len(token)):
        other = "x" if token[place] != "x" else "y"
        assert not well_formed(token[:place] + other + token[place + 1 :])


@pytest.mark.parametrize("token", ["", "gw-", "gw-" + "0" * 49, "sk-" + "0" * 49, "gw-" + "é" * 49, "\ud800" * 52])
def test_foreign_texts_are_not_well_formed(token: str) -> None:
    assert not well_formed(token)


def test_digests_differ_by_index_secret() -> None:
    assert digest(b"a" * 32, "t") != digest(b"b" * 32, "t")


def test_an_empty_index_secret_is_refused() -> None:
    with pytest.raises(Exception, match="too short"):
        digest(b"", "t")


async def test_a_key_stands_for_its_owner_and_scopes(database: Database, settings: Settings) -> None:
    key, token = await KeyStore(database).create("k", owner=OWNER.upper(), scopes=["admin", "chat"])
    registry = await Registry.open(settings)
    principal = registry.snapshot.principal(token.reveal())
    await registry.aclose()
    assert principal is not None
    assert (principal.id, principal.owner, principal.scopes) == (key.id, OWNER, {"admin", "chat"})
    assert token.reveal().startswith(key.prefix)


async def test_an_expired_key_stands_for_nobody(database: Database, settings: Settings) -> None:
    now = datetime.now(UTC)
    _, over = await KeyStore(database).create("over", expires_at=now - timedelta(seconds=1))
    _, still = await KeyStore(database).create("still", expires_at=now + timedelta(hours=1))
    registry = await Registry.open(settings)
    assert registry.snapshot.principal(over.reveal()) is None
    assert registry.snapshot.principal(still.reveal()) is not None
    await registry.aclose()
    assert [key.state for key in await KeyStore(database).all()] == ["expired", "active"]


async def test_a_key_that_expires_is_refused_without_a_new_snapshot(database: Database, settings: Settings) -> None:
    _, token = await KeyStore(database).create("k", expires_at=datetime.now(UTC) + timedelta(seconds=3))
    registry = await Registry.open(settings)
    pinned = registry.snapshot
    assert pinned.principal(token.reveal()) is not None
    async with asyncio.timeout(20):
        while pinned.principal(token.reveal()) is not None:
            await asyncio.sleep(0.05)
    await registry.aclose()


@pytest.mark.parametrize("scopes", [[], ["root"], ["chat", "root"]])
async def test_unknown_scopes_are_refused(database: Database, scopes: list[str]) -> None:
    with pytest.raises(InvalidValue, match="scopes are"):
        await KeyStore(database).create("k", scopes=scopes)


async def test_a_name_is_found_among_unrevoked_keys_only(database: Database) -> None:
    store = KeyStore(database)
    first, _ = await store.create("k")
    await store.revoke(first.id)
    second, _ = await store.create("k")
    assert (await store.find("k")).id == second.id
    await store.create("k")
    with pytest.raises(Conflict, match="2 keys are called 'k'"):
        await store.find("k")
    with pytest.raises(NotFound):
        await store.find("nobody")


async def test_revoking_twice_keeps_the_first_time(database: Database) -> None:
    key, _ = await KeyStore(database).create("k")
    first = await KeyStore(database).revoke(key.id)
    assert first.revoked_at is not None
    assert await KeyStore(database).revoke(key.id) == first


async def test_the_first_admin_key_is_written_once_for_its_owner_only(settings: Settings, registry: Registry) -> None:
    path = await ensure_first_admin_key(registry, settings.data_dir)
    assert path is not None
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    await registry.refresh()
    principal = registry.snapshot.principal(path.read_text().strip())
    assert principal is not None
    assert (principal.owner, principal.scopes) == (None, {"admin", "chat"})
    assert await ensure_first_admin_key(registry, settings.data_dir) is None


async def test_processes_that_start_at_once_make_one_admin_key(settings: Settings, database: Database) -> None:
    second = await Database.open(settings)
    paths = await asyncio.gather(
        *(KeyStore(each).ensure_first_admin(settings.data_dir) for each in (database, second, database, second))
    )
    assert sum(path is not None for path in paths) == 1
    assert len(await KeyStore(database).all()) == 1
    await second.aclose()


async def test_no_key_is_stored_when_its_file_cannot_be_written(settings: Settings, database: Database) -> None:
    (settings.data_dir / "admin-key").mkdir()
    with pytest.raises(Exception, match="cannot be written"):
        await KeyStore(database).ensure_first_admin(settings.data_dir)
    assert await KeyStore(database).all() == []


async def test_a_key_carries_its_limits_and_the_one_that_replaces_it_does_too(
    database: Database, settings: Settings
) -> None:
    store = KeyStore(database)
    key, token = await store.create("k", limits=Limits(rpm=60))
    await store.change(key.id, limits=Limits(rpm=60, tpm=1000))
    _, _, second = await store.rotate(key.id, timedelta(hours=1))
    plain, bare = await store.create("plain")
    registry = await Registry.open(settings)
    try:
        for secret in (token, second):
            principal = registry.snapshot.principal(secret.reveal())
            assert principal is not None
            assert principal.limits == Limits(rpm=60, tpm=1000)
        principal = registry.snapshot.principal(bare.reveal())
        assert principal is not None
        assert (principal.id, principal.limits) == (plain.id, None)
    finally:
        await registry.aclose()


async def test_limits_that_cannot_be_are_refused(database: Database) -> None:
    with pytest.raises(InvalidValue, match="rpm"):
        await KeyStore(database).create("k", limits=Limits(rpm=0))


async def test_a_key_whose_limits_cannot_be_read_is_no_key_and_the_others_are(
    database: Database, settings: Settings
) -> None:
    _, good = await KeyStore(database).create("good")
    bad, token = await KeyStore(database).create("bad", limits=Limits(rpm=1))
    async with database.change() as connection:
        await connection.execute(sa.update(keys).where(keys.c.id == bad.id).values(limits={"rpm": "many"}))
    registry = await Registry.open(settings)
    try:
        assert registry.snapshot.principal(token.reveal()) is None
        assert registry.snapshot.principal(good.reveal()) is not None
    finally:
        await registry.aclose()

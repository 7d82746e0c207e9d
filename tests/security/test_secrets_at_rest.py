"""S10, S11, S13, S19: what lies in the data directory, and what a stolen or weakened part of it is worth."""

import hmac
import json
import os
import stat
from pathlib import Path

import pytest

from gateway.registry import Database, KeyringError, KeyStore, ModelStore, NewModel, Registry
from gateway.registry.keyring import Keyring
from gateway.registry.rotation import prune, rotate
from gateway.registry.tables import keys
from gateway.secrets import Secret
from gateway.settings import Settings

CANARY = "sk-canary-0123456789"


async def fill(settings: Settings) -> list[str]:
    """Store secrets of every kind; what must not be found anywhere."""
    database = await Database.open(settings)
    model = NewModel(
        name="m",
        model_id="m",
        base_url="https://a.example",
        api_key=Secret(CANARY),
        headers={"x-key": "canary-header"},
    )
    await ModelStore(database).add(model)
    _, token = await KeyStore(database).create("k")
    admin = await KeyStore(database).create("a", scopes=["admin"])
    secrets = [CANARY, "canary-header", token.reveal(), admin[1].reveal(), database.index.hex()]
    # The connection stays open: what was written lies in the -wal file, too.
    assert secrets_in(settings.data_dir, secrets) == []
    await database.aclose()
    return secrets


def secrets_in(directory: Path, secrets: list[str]) -> list[tuple[str, str]]:
    return [
        (file.name, secret)
        for file in directory.iterdir()
        for secret in secrets
        if secret.encode() in file.read_bytes() or secret.encode().hex().encode() in file.read_bytes()
    ]


async def test_no_file_of_the_data_directory_holds_a_secret(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    secrets = await fill(settings)
    assert secrets_in(settings.data_dir, secrets) == []


async def test_rotating_the_keyring_puts_no_secret_anywhere_and_takes_the_old_key_away(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    secrets = await fill(settings)
    old = json.loads((settings.data_dir / "keyring").read_bytes())["keys"]
    database = await Database.open(settings)
    await rotate(database)
    assert secrets_in(settings.data_dir, secrets) == []
    await prune(database)
    new = json.loads((settings.data_dir / "keyring").read_bytes())["keys"]
    assert secrets_in(settings.data_dir, [*secrets, *old]) == []
    assert secrets_in(settings.data_dir, new) == [("keyring", key) for key in new]
    assert {stat.S_IMODE(file.stat().st_mode) for file in settings.data_dir.iterdir()} == {0o600}
    await database.aclose()


def test_the_search_would_find_a_secret(tmp_path: Path) -> None:
    (tmp_path / "gateway.db-wal").write_bytes(b"x" * 5000 + CANARY.encode() + b"x")
    assert secrets_in(tmp_path, [CANARY]) == [("gateway.db-wal", CANARY)]


async def test_every_file_is_its_owners_only(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        settings = Settings(data_dir=tmp_path / "data")
        registry = await Registry.open(settings)
        await KeyStore(registry.database).ensure_first_admin(settings.data_dir)
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in settings.data_dir.iterdir()}
        await registry.aclose()
    finally:
        os.umask(old)
    assert set(modes) >= {"gateway.db", "gateway.db-wal", "keyring", "admin-key"}
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(settings.data_dir.stat().st_mode) == 0o700


async def test_a_stored_digest_is_no_key_and_no_plain_hash_of_one(tmp_path: Path) -> None:
    registry = await Registry.open(Settings(data_dir=tmp_path / "data"))
    _, token = await KeyStore(registry.database).create("k")
    await registry.refresh()
    async with registry.database.read() as connection:
        [digest] = (await connection.execute(keys.select().with_only_columns(keys.c.digest))).scalars()
    assert registry.snapshot.principal(digest.hex()) is None
    assert hmac.digest(registry.database.index, token.reveal().encode(), "sha256") == digest
    assert hmac.digest(bytes(32), token.reveal().encode(), "sha256") != digest
    await registry.aclose()


async def test_a_revoked_key_is_worthless_in_every_later_snapshot(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data")
    registry = await Registry.open(settings)
    key, token = await KeyStore(registry.database).create("k")
    await registry.refresh()
    assert registry.snapshot.principal(token.reveal()) is not None
    await KeyStore(registry.database).revoke(key.id)
    await registry.refresh()
    assert registry.snapshot.principal(token.reveal()) is None
    await registry.aclose()


@pytest.mark.parametrize("secret", ["", " ", "0123456789abcde"])
def test_secrets_below_sixteen_bytes_seal_nothing(secret: str) -> None:
    with pytest.raises(KeyringError):
        Keyring([secret])

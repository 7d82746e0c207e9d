"""Keyrings: sealing, rotation, files, and what is refused."""

import json
import stat
from pathlib import Path

import pytest

from gateway.registry import Database, KeyringError, ModelStore, NewModel, Registry
from gateway.registry.columns import Ciphertext
from gateway.registry.keyfile import add_key, create_keyring, read_keyring
from gateway.registry.keyring import Keyring, sealed_by
from gateway.registry.tables import models
from gateway.secrets import Secret
from gateway.settings import Settings

OLD, NEW = "the old secret of at least 32 characters", "the new secret of at least 32 characters"
MODEL = NewModel(name="m", model_id="m", base_url="https://a.example", api_key=Secret("sk-1"), headers={"x-a": "b"})


def test_what_one_key_sealed_every_ring_with_that_key_opens() -> None:
    sealed = Keyring([OLD]).seal("text")
    assert Keyring([NEW, OLD]).open(sealed) == "text"
    assert sealed_by(sealed) == Keyring([NEW, OLD]).ids[1]


def test_the_newest_key_seals() -> None:
    ring = Keyring([NEW, OLD])
    assert Keyring([NEW]).open(ring.seal("text")) == "text"


def test_a_ring_without_the_key_says_which_one_is_missing() -> None:
    sealed = Keyring([OLD]).seal("text")
    with pytest.raises(KeyringError, match="has no key"):
        Keyring([NEW]).open(sealed)


def test_changed_ciphertext_is_refused() -> None:
    ring = Keyring([OLD])
    text = ring.seal("text").text
    with pytest.raises(KeyringError, match="changed or cut"):
        ring.open(Ciphertext(text[:-4] + "AAAA"))


@pytest.mark.parametrize("secret", ["", "short", " " * 40, "fifteen bytes.."])
def test_secrets_below_sixteen_bytes_are_refused(secret: str) -> None:
    with pytest.raises(KeyringError, match="shorter than 16 bytes"):
        Keyring([OLD, secret])


def test_nothing_of_a_secret_is_in_a_rings_repr() -> None:
    assert "secret" not in repr(Keyring([OLD]))


def test_a_new_keyring_file_is_only_its_owners(tmp_path: Path) -> None:
    path = tmp_path / "data" / "keyring"
    ring = create_keyring(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [file.name for file in path.parent.iterdir()] == ["keyring"]
    again = read_keyring(path)
    assert again is not None
    assert set(again.made) == {again.current}
    assert again.open(ring.seal("text")) == "text"


def test_a_keyring_made_by_a_faster_process_is_taken_over(tmp_path: Path) -> None:
    first = create_keyring(tmp_path / "keyring")
    assert create_keyring(tmp_path / "keyring").open(first.seal("text")) == "text"


def test_a_file_that_does_not_say_when_its_keys_were_made_is_read_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "keyring"
    path.touch(0o600)
    path.write_text(json.dumps({"version": 1, "keys": [OLD]}))
    ring = add_key(path)
    assert ring.ids[1:] == Keyring([OLD]).ids
    assert set(ring.made) == {ring.current}
    assert json.loads(path.read_text())["keys"][1] == OLD  # as who does not know `made` reads it


def test_what_a_killed_process_left_behind_goes_with_the_next_change(tmp_path: Path) -> None:
    create_keyring(tmp_path / "keyring")
    (tmp_path / ".keyring-abc").touch(0o600)
    add_key(tmp_path / "keyring")
    assert [file.name for file in tmp_path.iterdir()] == ["keyring"]


def test_a_keyring_file_others_can_read_is_refused(tmp_path: Path) -> None:
    create_keyring(tmp_path / "keyring")
    (tmp_path / "keyring").chmod(0o644)
    with pytest.raises(KeyringError, match="chmod 600"):
        read_keyring(tmp_path / "keyring")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"version": 2, "keys": []}', '{"version": 1, "keys": [1]}'])
def test_a_damaged_keyring_file_says_so(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keyring"
    path.touch(0o600)
    path.write_text(content)
    with pytest.raises(KeyringError, match="is damaged: restore it"):
        read_keyring(path)


async def test_another_keyring_is_refused_with_the_way_out(settings: Settings) -> None:
    await (await Database.open(settings)).aclose()
    (settings.data_dir / "keyring").unlink()
    with pytest.raises(KeyringError, match=r"not here: restore the keyring file .* or set GATEWAY_SECRET_KEYS"):
        await Database.open(settings)
    assert not (settings.data_dir / "keyring").exists()
    create_keyring(settings.data_dir / "keyring")
    with pytest.raises(KeyringError, match="does not open this database: restore the keyring file"):
        await Database.open(settings)


async def test_one_row_that_cannot_be_opened_does_not_take_the_others_away(
    settings: Settings, database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    lost = await ModelStore(database).add(MODEL)
    kept = await ModelStore(database).add(MODEL)
    async with database.change() as connection:
        foreign = Keyring([OLD]).seal("sk-lost")
        await connection.execute(models.update().where(models.c.id == lost.id).values(api_key=foreign))
    registry = await Registry.open(settings)
    assert registry.snapshot.model(lost.id) is None
    assert registry.snapshot.model(kept.id) is not None
    assert f"Model {lost.id} is left out" in caplog.text
    await registry.aclose()


async def test_a_sealed_column_takes_no_plain_text(database: Database) -> None:
    with pytest.raises(Exception, match="never plain text"):
        async with database.change() as connection:
            await connection.execute(models.update().values(api_key="sk-plain"))

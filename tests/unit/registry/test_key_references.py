"""API keys by reference: looked up when models are loaded, told, never shown, and forged by nobody."""

import json
import os
from pathlib import Path

import pytest
import sqlalchemy as sa

from gateway.registry import Database, InvalidValue, ModelStore, NewModel, Registry, RegistryError, references
from gateway.registry.columns import Ciphertext
from gateway.registry.references import KeyReference
from gateway.registry.rotation import prune, rotate
from gateway.registry.tables import models
from gateway.secrets import Secret
from gateway.settings import Settings

ENV = KeyReference("env", "TEST_REFERENCED_KEY")


def new(key: Secret | KeyReference | None) -> NewModel:
    return NewModel(name="m", model_id="m", base_url="https://a.example", api_key=key)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "provider-key"
    file.write_text("sk-first\n")
    return file


def write(file: Path, content: bytes) -> None:
    file.write_bytes(content)


async def test_a_credential_file_of_many_lines_is_read_and_stored(database: Database, key_file: Path) -> None:
    write(key_file, json.dumps({"type": "service_account", "private_key": "x" * 2000}, indent=2).encode())
    found = KeyReference("file", str(key_file)).resolve()
    assert json.loads(found.reveal())["type"] == "service_account"
    assert (await ModelStore(database).add(new(found))).has_api_key


async def test_a_key_is_looked_up_and_only_its_place_stored_and_told(
    database: Database, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENV.name, "sk-canary\n")
    added = await ModelStore(database).add(new(ENV))
    assert added.api_key == f"from env {ENV.name}"
    registry = await Registry.open(settings)
    [model] = registry.snapshot.models_named("m")
    assert (model.api_key.reveal(), model.fault) == ("sk-canary", "")
    await registry.aclose()
    async with database.read() as connection:
        [sealed] = (await connection.execute(sa.select(models.c.api_key))).scalars()
    assert "canary" not in database.keyring.open(sealed)
    assert ENV.name not in sealed.text


async def test_a_variable_that_is_missing_is_told_to_the_operator_and_takes_no_other_model_away(
    database: Database, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    assert ENV.name not in os.environ
    added = await ModelStore(database).add(new(ENV))
    other = await ModelStore(database).add(new(Secret("sk-2")))
    said = f"The environment variable {ENV.name} is not set."
    assert added.api_key == f"from env {ENV.name} (as seen from here: {said})"
    registry = await Registry.open(settings)
    model = registry.snapshot.model(added.id)
    assert model is not None
    assert (model.fault, bool(model.api_key)) == (said, False)
    assert f"Model m ({added.id}) cannot be called: {said}" in caplog.text
    unharmed = registry.snapshot.model(other.id)
    assert unharmed is not None
    assert unharmed.fault == ""
    await registry.aclose()


async def test_a_file_is_read_again_when_it_changes(
    database: Database, registry: Registry, key_file: Path, tmp_path: Path, eventually
) -> None:
    await ModelStore(database).add(new(references.file(key_file, data_dir=tmp_path / "data")))
    await eventually(lambda: registry.snapshot.models_named("m"))

    def key() -> str:
        return registry.snapshot.models_named("m")[0].api_key.reveal()

    assert key() == "sk-first"
    fresh = tmp_path / "fresh"
    fresh.write_text("sk-second")
    fresh.replace(key_file)
    await eventually(lambda: key() == "sk-second")
    os.unlink(key_file)
    await eventually(lambda: "cannot be read" in registry.snapshot.models_named("m")[0].fault)
    write(key_file, b"sk-third")
    await eventually(lambda: key() == "sk-third")
    assert registry.snapshot.models_named("m")[0].fault == ""


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "is empty"), (b"sk-1\nsk-2", "contains a line break"), (b"\xff", "is not UTF-8 text")],
)
def test_a_file_that_holds_no_key_says_so(key_file: Path, content: bytes, said: str) -> None:
    write(key_file, content)
    with pytest.raises(RegistryError, match=said):
        KeyReference("file", str(key_file)).resolve()


async def test_a_reference_outlives_the_rotation_of_the_keyring(
    database: Database, settings: Settings, key_file: Path, tmp_path: Path
) -> None:
    added = await ModelStore(database).add(new(references.file(key_file, data_dir=tmp_path / "data")))
    await rotate(database)
    await prune(database)
    registry = await Registry.open(settings)
    model = registry.snapshot.model(added.id)
    await registry.aclose()
    assert model is not None
    assert model.api_key.reveal() == "sk-first"


async def test_no_text_that_comes_as_a_key_becomes_a_reference(database: Database, settings: Settings) -> None:
    """S7: a row that was moved in, or a key that was pasted, must not lead to this machine's variables or files."""
    for text in ("\0env:HOME", "\0file:/etc/hostname"):
        with pytest.raises(InvalidValue, match="NUL"):
            await ModelStore(database).add(new(Secret(text)))
        with pytest.raises(InvalidValue, match="NUL"):
            database.keyring.seal(text)
    added = await ModelStore(database).add(new(Secret("{env=HOME}")))
    registry = await Registry.open(settings)
    model = registry.snapshot.model(added.id)
    await registry.aclose()
    assert model is not None
    assert model.api_key.reveal() == "{env=HOME}"


async def test_who_writes_to_the_database_without_the_keyring_cannot_make_a_reference(
    database: Database, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    added = await ModelStore(database).add(new(None))
    forged = Ciphertext("\0env:HOME")
    async with database.change() as connection:
        if database.engine.dialect.name == "sqlite":
            await connection.execute(models.update().values(api_key=forged))
        else:
            await connection.execute(models.update().values(api_key=Ciphertext("env:HOME")))
    registry = await Registry.open(settings)
    assert registry.snapshot.model(added.id) is None
    assert "is left out" in caplog.text
    await registry.aclose()


@pytest.mark.parametrize("name", ["GATEWAY_SECRET_KEYS", "GATEWAY_DATABASE_URL", "", "A B", "A=B", "1A", "Ä"])
def test_a_variable_of_the_gateway_or_of_nobody_is_no_reference(name: str) -> None:
    with pytest.raises(InvalidValue):
        references.variable(name)


def test_a_file_of_the_data_directory_is_no_reference(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "keyring").touch()
    (tmp_path / "link").symlink_to(tmp_path / "data" / "keyring")
    for path in (tmp_path / "data" / "keyring", tmp_path / "data" / ".." / "data" / "keyring", tmp_path / "link"):
        with pytest.raises(InvalidValue, match="data directory"):
            references.file(path, data_dir=tmp_path / "data")


def test_a_pipe_is_no_file_to_wait_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(RegistryError, match="is no regular file"):
        KeyReference("file", str(tmp_path / "pipe")).resolve()

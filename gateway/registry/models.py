"""The store of models: what the command line and tests read and change."""

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from gateway.registry.columns import Ciphertext
from gateway.registry.errors import Conflict, KeyringError, NotFound, RegistryError
from gateway.registry.keyring import Keyring, sealed_by
from gateway.registry.references import KeyReference, reference_in
from gateway.registry.tables import models
from gateway.secrets import Secret
from gateway.settings.limits import LENGTHS, STRUCTURED, InvalidValue, canonical_uuid, check_text, structured

if TYPE_CHECKING:
    from gateway.registry.database import Database


class NewModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model to be added; names are those of the columns."""

    name: str
    model_id: str
    base_url: str
    api_key: Secret | KeyReference | None = None
    id: str | None = None
    user_id: str | None = None
    folder_id: str | None = None
    sharing: str = "private"
    description: str = ""
    context_length: int = 4096
    provider: str = "openai"
    enabled: bool = True
    parameters: Mapping[str, Any] = {}
    quirks: Mapping[str, Any] = {}
    timeouts: Mapping[str, Any] = {}
    headers: Mapping[str, str] = {}
    prices: Mapping[str, Any] = {}
    capabilities: tuple[str, ...] = ()


class StoredModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model as it may be shown: its key and the values of its headers stay where they are."""

    id: str
    name: str
    provider: str
    model_id: str
    base_url: str
    has_api_key: bool
    api_key: str
    """Where its key is, in words."""
    owner: str | None
    sharing: str
    enabled: bool
    context_length: int
    description: str
    parameters: dict[str, Any]
    quirks: dict[str, Any]
    timeouts: dict[str, Any]
    headers: tuple[str, ...] | None
    """Their names; None when the keyring cannot open them."""
    prices: dict[str, Any]
    capabilities: tuple[str, ...]
    folder_id: str | None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    managed_by: str = ""
    """Where it stands in the settings, which alone can change it; empty for one of the table."""


class ModelStore:
    """Reads and changes the table of models, and reads those of the settings."""

    def __init__(self, database: "Database") -> None:
        self._database = database

    async def add(self, model: NewModel) -> StoredModel:
        """Store a model; `Conflict` when its id exists."""
        async with self._database.sealing() as connection:
            values = _columns(msgspec.structs.asdict(model), self._database.keyring)
            values["id"] = canonical_uuid(model.id) if model.id else str(uuid.uuid4())
            values["created_at"] = datetime.now(UTC)
            try:
                row = (await connection.execute(sa.insert(models).values(values).returning(models))).one()
            except IntegrityError as error:
                raise Conflict(f"A model with the id {values['id']} exists: update it, or give another id.") from error
        return _stored(row, self._database.keyring)

    async def all(self) -> list[StoredModel]:
        """All models, by name."""
        async with self._database.read() as connection:
            rows = (await connection.execute(sa.select(models).order_by(models.c.name, models.c.id))).all()
        stored = [_stored(row, self._database.keyring) for row in rows]
        return sorted((*stored, *self._database.declared.shown()), key=lambda model: (model.name, model.id))

    async def find(self, id_or_name: str) -> StoredModel:
        """The model of that id, else of that name; `NotFound`, or `Conflict` when the name is not enough."""
        found = [model for model in await self.all() if _is(model, id_or_name)]
        if not found:
            raise NotFound(f"There is no model {id_or_name[:100]!r}: `gateway models list` shows all.")
        if len(found) > 1:
            ids = ", ".join(model.id for model in found[:5])
            raise Conflict(f"{len(found)} models are called {id_or_name[:100]!r}: use an id ({ids}).")
        return found[0]

    async def update(self, model_id: str, changes: Mapping[str, Any]) -> StoredModel:
        """Change the given columns of one model."""
        if unknown := set(changes) - (set(NewModel.__struct_fields__) - {"id"}):
            raise InvalidValue(f"A model's {', '.join(sorted(unknown))} cannot be changed.")
        self._database.declared.refuse_change(model_id)
        statement = sa.update(models).where(models.c.id == canonical_uuid(model_id)).returning(models)
        async with self._database.sealing() as connection:
            values = {**_columns(changes, self._database.keyring), "updated_at": datetime.now(UTC)}
            row = (await connection.execute(statement.values(values))).one_or_none()
        if row is None:
            raise NotFound(f"There is no model with the id {model_id}.")
        return _stored(row, self._database.keyring)

    async def remove(self, model_id: str) -> None:
        """Delete one model."""
        self._database.declared.refuse_change(model_id)
        async with self._database.change() as connection:
            deleted = await connection.execute(sa.delete(models).where(models.c.id == canonical_uuid(model_id)))
        if not deleted.rowcount:
            raise NotFound(f"There is no model with the id {model_id}.")


def _is(model: StoredModel, id_or_name: str) -> bool:
    try:
        return model.id == str(uuid.UUID(id_or_name)) or model.name == id_or_name
    except ValueError:
        return model.name == id_or_name


def _columns(given: Mapping[str, Any], keyring: Keyring) -> dict[str, Any]:
    """The values as the table takes them: checked, ids canonical, secrets sealed."""
    values = dict(given)
    for field in set(LENGTHS) & set(values) - {"api_key"}:
        check_text(field, values[field])
    for field in {"user_id", "folder_id"} & set(values):
        values[field] = canonical_uuid(values[field], what=field) if values[field] else None
    if "context_length" in values and not 0 <= values["context_length"] < 2**31:
        raise InvalidValue("The context length is out of range.")
    for field in set(STRUCTURED) & set(values):
        values[field] = structured(field, msgspec.to_builtins(values[field]))
    if "api_key" in values:
        values["api_key"] = _sealed_key(values["api_key"], keyring)
    if "headers" in values:
        values["headers"] = keyring.seal(json.dumps(values["headers"])) if values["headers"] else None
    return values


def _sealed_key(key: Secret | KeyReference | None, keyring: Keyring) -> Ciphertext | None:
    if isinstance(key, KeyReference):
        return key.sealed(keyring)
    return keyring.seal(check_text("api_key", key.reveal())) if key else None


def _stored(row: sa.Row[Any], keyring: Keyring) -> StoredModel:
    columns = row._asdict()
    sealed: Ciphertext | None = columns.pop("headers")
    return StoredModel(
        has_api_key=columns["api_key"] is not None,
        api_key=_told(columns.pop("api_key"), keyring),
        headers=_header_names(sealed, keyring),
        owner=columns.pop("user_id"),
        capabilities=tuple(columns.pop("capabilities")),
        **columns,
    )


def _told(sealed: Ciphertext | None, keyring: Keyring) -> str:
    """Where a key is, without a letter of it; what keeps a reference from leading to one."""
    if sealed is None:
        return "none"
    by = sealed_by(sealed)
    try:
        reference = reference_in(keyring.open(sealed))
    except KeyringError:
        return f"set (sealed with key id {by}, and cannot be opened)"
    if reference is None:
        return f"set (sealed with key id {by})"
    try:
        reference.resolve()
    except RegistryError as error:
        return f"from {reference.kind} {reference.name} (as seen from here: {error})"
    return f"from {reference.kind} {reference.name}"


def _header_names(sealed: Ciphertext | None, keyring: Keyring) -> tuple[str, ...] | None:
    try:
        return tuple(json.loads(keyring.open(sealed))) if sealed else ()
    except KeyringError:
        return None

"""The registry: models, routes and virtual keys in tables of our own, served from memory."""

from gateway.registry.database import Database
from gateway.registry.errors import (
    Conflict,
    DatabaseUnavailable,
    KeyringError,
    NotFound,
    RegistryError,
    SchemaMismatch,
)
from gateway.registry.keys import KeyStore, StoredKey
from gateway.registry.models import ModelStore, NewModel, StoredModel
from gateway.registry.registry import Registry, ensure_first_admin_key
from gateway.registry.routes import NewRoute, RouteStore, StoredRoute, StoredTarget
from gateway.registry.snapshot import RegistrySnapshot
from gateway.registry.usage import UsageStore
from gateway.settings.limits import InvalidValue

__all__ = (
    "Conflict",
    "Database",
    "DatabaseUnavailable",
    "InvalidValue",
    "KeyStore",
    "KeyringError",
    "ModelStore",
    "NewModel",
    "NewRoute",
    "NotFound",
    "Registry",
    "RegistryError",
    "RegistrySnapshot",
    "RouteStore",
    "SchemaMismatch",
    "StoredKey",
    "StoredModel",
    "StoredRoute",
    "StoredTarget",
    "UsageStore",
    "ensure_first_admin_key",
)

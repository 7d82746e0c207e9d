"""What can go wrong with the registry; every message is one sentence with the way out, safe to print.

RegistryError
├── DatabaseUnavailable   cannot be reached or opened
├── SchemaMismatch        behind or newer than this program
├── KeyringError          missing, unreadable or not this database's
├── NotFound              no row of that id or name
└── Conflict              the id exists already, or a name stands for several rows

A value that no row can hold is an `InvalidValue`, of the settings' limits, which models in the settings keep as well.
"""


class RegistryError(Exception):
    """Base of the registry's failures."""


class DatabaseUnavailable(RegistryError):
    """The database cannot be reached, or its address is wrong."""


class SchemaMismatch(RegistryError):
    """The tables are not those this program knows."""


class KeyringError(RegistryError):
    """The keyring cannot be used for this database."""


class NotFound(RegistryError):
    """Nothing has that id or name."""


class Conflict(RegistryError):
    """The change contradicts what is there."""

"""What the doctor must not say: every secret it could have come across."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, SecretStr

from gateway.secrets import Secret, redact
from gateway.settings import Settings

_NAMES = re.compile(r"key|secret|token|password|credential", re.IGNORECASE)


class Hidden:
    """Secrets, to be taken out of sentences."""

    def __init__(self, values: Iterable[str]) -> None:
        self._values = [Secret(value) for value in sorted(set(values), key=len, reverse=True)]

    def taken_from(self, text: str) -> str:
        """The sentence without them, and without anything that has the shape of one."""
        return redact(text, self._values)


def hidden(settings: Settings | None, environ: Mapping[str, str]) -> Hidden:
    """The secrets of the settings, and of the environment by the names of its variables."""
    return Hidden(_values(settings, environ))


def _values(settings: Settings | None, environ: Mapping[str, str]) -> Iterator[str]:
    for name, value in environ.items():
        if name.startswith("GATEWAY_") and _NAMES.search(name) and not name.endswith(("_FILE", "_URL")):
            yield value
    if settings is not None:
        yield from (key.get_secret_value() for key in settings.secret_keys)
        yield from _named(settings.plugins)
        yield from _password(settings.database_url)


def typed(section: BaseModel | None) -> Iterator[str]:
    """The secrets of a plugin's section, by the types of its fields."""
    for value in dict(section or ()).values():
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif isinstance(value, Secret):
            yield value.reveal()
        elif isinstance(value, BaseModel):
            yield from typed(value)


def _named(table: Mapping[str, Any]) -> Iterator[str]:
    for name, value in table.items():
        if isinstance(value, Mapping):
            yield from _named(value)
        elif isinstance(value, str) and _NAMES.search(name):
            yield value


def _password(url: str) -> Iterator[str]:
    match = re.search(r"://[^/?#]*:([^/?#]*)@", url)
    if match:
        yield match[1]

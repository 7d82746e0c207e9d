"""What is known of the services that speak one dialect: tables of data, read by the providers that serve them."""

import re
import tomllib
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from urllib.parse import urlsplit

import msgspec

from gateway.domain import Model, Quirks
from gateway.requests import ChatRequest, Fields
from gateway.wire.chat import CHAT
from gateway.wire.json import decode_value
from gateway.wire.responses import RESPONSES


class ModelRow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What some of a vendor's models do otherwise than the rest."""

    match: str
    """A regular expression, searched for in the upstream's name of the model."""
    quirks: Quirks = Quirks()
    unless: Mapping[str, frozenset[str]] = {}
    """Request fields and the texts with which the row does not apply; an empty text stands for a field not given."""

    def applies(self, model_id: str, fields: Fields) -> bool:
        """Whether the row is about this request."""
        return re.search(self.match, model_id) is not None and not any(
            _text(fields, field) in texts for field, texts in self.unless.items()
        )


class Vendor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One service: where it is and how it differs."""

    title: str
    base_url: str = ""
    """Where it is asked when a model says nothing else."""
    hosts: tuple[str, ...] = ()
    """Its hosts, `*.example.com` for all below one: by them it is known behind a provider that serves everybody."""
    api_key_env: str = ""
    """The environment variable that its own documentation keeps the key in."""
    quirks: Quirks = Quirks()
    models: tuple[ModelRow, ...] = ()
    """All that match count, the later ones more."""
    capabilities: frozenset[str] = frozenset()
    """What its API has beside chat completions."""
    note: str = ""
    """What an operator should know, in one sentence."""

    @property
    def differences(self) -> str:
        """What is changed in requests, in words."""
        return "; ".join(
            dict.fromkeys(_told(q) for q in (self.quirks, *(row.quirks for row in self.models)) if _told(q))
        )

    def quirks_for(self, model: Model, fields: Fields) -> Quirks:
        """The quirks to write these fields with; the model's own win over the table's."""
        quirks = self.quirks
        for row in self.models:
            if row.applies(model.model_id, fields):
                quirks = row.quirks.over(quirks)
        return model.quirks.over(quirks)

    def write_chat(self, request: ChatRequest, model: Model) -> bytes:
        """The body of a chat completion; a client that is to be taken at its word (`verbatim`) meets no table."""
        return CHAT.write_request(request, model, None if request.verbatim else partial(self.quirks_for, model))

    def write_responses(self, request: ChatRequest, model: Model) -> bytes:
        """The same for a request of the responses dialect."""
        return RESPONSES.write_request(request, model, None if request.verbatim else partial(self.quirks_for, model))


class Vendors:
    """A table of vendors by the name of their provider."""

    def __init__(self, rows: Mapping[str, Vendor]) -> None:
        self.rows: Mapping[str, Vendor] = MappingProxyType(dict(rows))
        self._hosts = {host: vendor for vendor in rows.values() for host in vendor.hosts}

    @classmethod
    def read(cls, toml: str) -> "Vendors":
        """The table that a TOML text holds; raises `ValueError` saying what is wrong with it."""
        return cls(msgspec.convert(tomllib.loads(toml), dict[str, Vendor]))

    def at(self, base_url: str) -> Vendor | None:
        """The vendor that lives behind a base URL."""
        try:
            host = (urlsplit(base_url).hostname or "").removesuffix(".")
        except ValueError:  # no URL at all: whoever dials it will say so
            return None
        while host:
            if (vendor := self._hosts.get(host)) is not None:
                return vendor
            host = f"*.{host.removeprefix('*.').partition('.')[2]}" if "." in host.removeprefix("*.") else ""
        return None


def _text(fields: Fields, name: str) -> str:
    raw = fields.get(name)
    value = None if raw is None else decode_value(raw)
    return value if isinstance(value, str) else ""


def _told(quirks: Quirks) -> str:
    renamed = [f"{name} as {known}" for name, known in sorted({**quirks.rename, **quirks.roles}.items())]
    formats = {"json": "a JSON Schema in words", "none": "JSON in words"}
    without = [f"without {', '.join(sorted(quirks.omit))}"] if quirks.omit else []
    asked = [formats[quirks.response_format]] if quirks.response_format in formats else []
    return ", ".join((*renamed, *asked, *without))

"""What a section can hold and what it holds: each key with its value, its source and its words, secrets masked."""

import ast
import inspect
import json
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path as FilePath
from textwrap import dedent
from typing import Any

import msgspec
from pydantic import BaseModel, SecretBytes, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from gateway.settings.problems import Origins, Path, variable
from gateway.settings.sections import field_names, is_secret, nested_model

MASK = "********"
ENABLED = "Whether the plugin is loaded."
_DEFAULT = "default"


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """One key of a section."""

    key: str
    """`plugins.acme.url`."""
    variable: str
    value: Any
    """As JSON; a secret that is set is masked, one that is not is null."""
    source: str
    """Where it was written, else `default`."""
    default: Any
    required: bool
    secret: bool
    description: str

    @property
    def is_default(self) -> bool:
        """Whether nobody wrote it."""
        return self.source == _DEFAULT


def describe(cls: type[BaseModel], value: BaseModel | None, origins: Origins, *, at: Path) -> list[Key]:
    """Every key of a section, nested tables as keys of their own; without a value, what it is by default."""
    return list(_keys(cls, value, origins, at))


def enabled_key(name: str, section: Mapping[str, Any], origins: Origins, *, default: bool) -> Key:
    """The gateway's own key in a plugin's section."""
    path = ("plugins", name, "enabled")
    return Key(
        key=".".join(path),
        variable=variable(path),
        value=section.get("enabled", default),
        source=_source(path, origins),
        default=default,
        required=False,
        secret=False,
        description=ENABLED,
    )


def schema(cls: type[BaseModel]) -> dict[str, Any]:
    """The JSON Schema of the section `[plugins.NAME]`, the gateway's own key included."""
    made = cls.model_json_schema()
    properties = made.setdefault("properties", {})
    words = _docstrings(cls)
    for name, field in cls.model_fields.items():
        if words.get(name):
            properties.get(field.alias or name, {}).setdefault("description", " ".join(words[name].split()))
    properties.setdefault("enabled", {"type": "boolean", "description": ENABLED})
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def _keys(cls: type[BaseModel], value: BaseModel | None, origins: Origins, at: Path) -> Iterator[Key]:
    words = _docstrings(cls)
    by_name = {id(field): name for name, field in cls.model_fields.items()}
    seen: set[int] = set()
    for key, field in field_names(cls).items():
        if id(field) in seen:  # known by its alias already
            continue
        seen.add(id(field))
        name = by_name[id(field)]
        default = _default(field)
        held = default if value is None else getattr(value, name)
        inner = nested_model(field.annotation)
        if inner is not None and (held is PydanticUndefined or isinstance(held, BaseModel)):
            yield from _keys(inner, held if isinstance(held, BaseModel) else None, origins, (*at, key))
            continue
        secret = is_secret(field)
        yield Key(
            key=".".join((*at, key)),
            variable=variable((*at, key)),
            value=_shown(held, secret=secret),
            source=_source((*at, key), origins),
            default=_shown(default, secret=secret),
            required=field.is_required(),
            secret=secret,
            description=" ".join((field.description or words.get(name, "")).split()),
        )


def _default(field: FieldInfo) -> Any:
    """What it is when nobody says; undefined when it is required or follows from another key."""
    if field.default_factory_takes_validated_data:
        return PydanticUndefined
    return field.get_default(call_default_factory=True)


def _source(path: Path, origins: Origins) -> str:
    """Where the key, a part of it or the table it stands in was written."""
    for length in range(len(path), 2, -1):
        if path[:length] in origins:
            return origins[path[:length]].text
    below = [origin.text for known, origin in origins.items() if known[: len(path)] == path]
    return ", ".join(below) or _DEFAULT


def _shown(value: Any, *, secret: bool) -> Any:
    """The value as JSON can hold it; whatever is or may hold a secret is masked."""
    if value is PydanticUndefined or value is None:
        return None
    if secret or isinstance(value, SecretStr | SecretBytes):
        return MASK if _is_set(value) else None
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        return {name: _shown(getattr(value, name), secret=is_secret(field)) for name, field in fields.items()}
    if isinstance(value, Mapping):
        return {str(key): _shown(inner, secret=False) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_shown(inner, secret=False) for inner in value]
    if isinstance(value, str | int | float | bool):
        return value
    return value.as_posix() if isinstance(value, FilePath) else str(value)


def _is_set(value: Any) -> bool:
    if isinstance(value, SecretStr | SecretBytes):
        return bool(value.get_secret_value())
    return bool(value)


def _docstrings(cls: type[BaseModel]) -> Mapping[str, str]:
    """The text under each field, which pydantic reads only when a class asks it to."""
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        found |= _written_in(base)
    return found


def _written_in(cls: type) -> dict[str, str]:
    try:
        (tree,) = ast.parse(dedent(inspect.getsource(cls))).body
    except (OSError, TypeError, ValueError, SyntaxError):  # a class made by code has no source
        return {}
    body = getattr(tree, "body", [])
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }


def markdown_table(keys: list[Key]) -> str:
    """The keys as a Markdown table: key, default and meaning."""
    lines = ["| key | default | meaning |", "|---|---|---|"]
    for key in keys:
        default = "required" if key.required else _cell(key.default)
        lines.append(f"| `{key.key}` | {default} | {key.description.replace('|', chr(92) + '|')} |")
    return "\n".join(lines)


def _cell(default: Any) -> str:
    if default in (None, "", [], {}):
        return "none"
    text = default if isinstance(default, str) else json.dumps(default)
    return f"`{text.removesuffix('.0') if isinstance(default, float) else text}`"

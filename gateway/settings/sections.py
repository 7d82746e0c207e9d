"""Validation of one table of settings by its class, with every problem told by its origin."""

import json
import types
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Annotated, Any, Generic, NamedTuple, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from gateway.settings.problems import Origins, Path, SettingsError, locate, suggest, variable

M = TypeVar("M", bound=BaseModel)
_KINDS = MappingProxyType(
    {
        "dict_type": "should be a table",
        "list_type": "should be a list",
        "mapping_type": "should be a table",
        "model_type": "should be a table",
        "tuple_type": "should be a list",
    }
)
"""Pydantic's words for these are Python's, not TOML's."""
_NO_LISTS = (str, bytes, Mapping, BaseModel)


class Section(NamedTuple, Generic[M]):
    """A validated table and what was ignored in it."""

    value: M
    warnings: tuple[str, ...]


def validate_section(cls: type[M], table: Mapping[str, Any], origins: Origins, *, at: Path = ()) -> Section[M]:
    """The table as an instance of its class; raises `SettingsError` with all problems at once.

    `at` is the table's own key path. Unknown keys are refused with the nearest known one; where they are environment
    variables they are ignored with a warning, because the environment is shared with others.
    """
    known, unknown = _known(cls, table, at, origins)
    warnings = [text for text, environment in unknown if environment]
    problems = [text for text, environment in unknown if not environment]
    try:
        value = cls.model_validate(known)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False)
        problems += [
            _sentence(detail["loc"], detail["type"], detail["msg"], origins, at)
            for detail in details
            if detail["type"] != "default_factory_not_called"  # only follows from another field's problem
        ]
    else:
        if not problems:
            return Section(value, tuple(warnings))
    secrets = sorted(_secrets(cls, known), key=len, reverse=True)
    raise SettingsError(_mask(problem, secrets) for problem in problems) from None


def _known(
    cls: type[BaseModel], table: Mapping[str, Any], at: Path, origins: Origins
) -> tuple[dict[str, Any], list[tuple[str, bool]]]:
    """The table with its known keys, environment texts decoded; and a sentence for each unknown key."""
    fields = field_names(cls)
    open_ended = cls.model_config.get("extra") == "allow"
    known: dict[str, Any] = {}
    unknown: list[tuple[str, bool]] = []
    for key, value in table.items():
        path = (*at, key)
        field = fields.get(key)
        inner = nested_model(field.annotation) if field else None
        if field is None and not open_ended:
            unknown += _unknown(path, fields, origins)
        elif inner is not None and isinstance(value, Mapping):
            known[key], below = _known(inner, value, path, origins)
            unknown += below
        elif field is not None and (each := _model_of_each(field.annotation)) and isinstance(value, Mapping):
            known[key], below = _known_each(each, value, path, origins)
            unknown += below
        elif field is not None and isinstance(value, str) and locate(path, origins).environment:
            known[key] = _decode(value, field.annotation)
        else:
            known[key] = value
    return known, unknown


def _known_each(
    cls: type[BaseModel], table: Mapping[str, Any], at: Path, origins: Origins
) -> tuple[dict[str, Any], list[tuple[str, bool]]]:
    """The same for a table of named tables of one class."""
    known: dict[str, Any] = {}
    unknown: list[tuple[str, bool]] = []
    for name, inner in table.items():
        if isinstance(inner, Mapping):
            known[name], below = _known(cls, inner, (*at, name), origins)
            unknown += below
        else:
            known[name] = inner
    return known, unknown


def _unknown(path: Path, fields: Iterable[str], origins: Origins) -> Iterator[tuple[str, bool]]:
    """The sentences about an unknown key or table, each with whether it came from the environment."""
    places = [origin for known, origin in origins.items() if known[: len(path)] == path] or [locate(path, origins)]
    for place in places:
        if place.environment:
            hint = suggest(variable(path), (variable((*path[:-1], name)) for name in fields))
            yield f"{place.text}: is no setting and is ignored{hint}", True
        else:
            yield f"{place.text}: unknown key{suggest(path[-1], fields)}", False


def field_names(cls: type[BaseModel]) -> dict[str, FieldInfo]:
    """What a table may hold; a field excluded from dumps is filled in by code, not by operators."""
    names: dict[str, FieldInfo] = {}
    for name, field in cls.model_fields.items():
        if field.exclude:
            continue
        names[field.alias or name] = field
        if field.alias is None or cls.model_config.get("populate_by_name"):
            names[name] = field
    return names


def _alternatives(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) is Annotated:
        return _alternatives(get_args(annotation)[0])
    if get_origin(annotation) in (Union, types.UnionType):
        return tuple(inner for option in get_args(annotation) for inner in _alternatives(option))
    return (annotation,)


def nested_model(annotation: Any) -> type[BaseModel] | None:
    """The class of a table inside a section."""
    for option in _alternatives(annotation):
        if isinstance(option, type) and issubclass(option, BaseModel):
            return option
    return None


def _model_of_each(annotation: Any) -> type[BaseModel] | None:
    """The class of the tables of a table by name."""
    arguments = get_args(annotation) if get_origin(annotation) is Mapping else ()
    return nested_model(arguments[1]) if len(arguments) == 2 else None


def _decode(text: str, annotation: Any) -> Any:
    """An environment variable's text: JSON for tables and lists, also a comma list; the rest pydantic reads itself."""
    kinds = [kind for option in _alternatives(annotation) if isinstance(kind := get_origin(option) or option, type)]
    tables = any(issubclass(kind, Mapping | BaseModel) for kind in kinds)
    lists = any(issubclass(kind, Iterable) and not issubclass(kind, _NO_LISTS) for kind in kinds)
    if str in kinds or not (tables or lists):
        return text
    stripped = text.strip()
    if stripped.startswith("{" if not lists else ("[", "{")):
        try:
            return json.loads(stripped)
        except (ValueError, RecursionError):
            return text
    if not lists:
        return text
    # An empty secret stays, to be refused as too short rather than taken for none.
    keep_empty = "Secret" in repr(annotation)
    return [part.strip() for part in stripped.split(",") if keep_empty or part.strip()]


def _sentence(loc: tuple[int | str, ...], kind: str, message: str, origins: Origins, at: Path) -> str:
    path = (*at, *loc)
    if kind == "missing":
        return f"{'.'.join(map(str, path))}: is required; set it in the file or as {variable(path)}"
    message = _KINDS.get(kind, message).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    place = locate(path, origins).text or "settings"
    return f"{place}: {message[:1].lower()}{message[1:]}"


def is_secret(field: FieldInfo) -> bool:
    """Whether a field's value must not be shown: by its type, or because its class keeps it out of its `repr`."""
    return "Secret" in repr(field.annotation) or not field.repr


def _secrets(cls: type[BaseModel], table: Mapping[str, Any]) -> Iterator[str]:
    """The texts of secret fields: a validator's own message may quote its input."""
    for key, field in field_names(cls).items():
        inner, value = nested_model(field.annotation), table.get(key)
        if inner is not None and isinstance(value, Mapping):
            yield from _secrets(inner, value)
        elif (each := _model_of_each(field.annotation)) is not None and isinstance(value, Mapping):
            for named in value.values():
                if isinstance(named, Mapping):
                    yield from _secrets(each, named)
        elif is_secret(field):
            yield from _texts(value)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _texts(inner)


def _mask(sentence: str, secrets: list[str]) -> str:
    for secret in secrets:
        if len(secret) >= 4:
            sentence = sentence.replace(secret, "***")
    return sentence

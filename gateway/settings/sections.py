"""Validation of one table of settings by its class, with every problem told by its origin."""

import json
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated, Any, Generic, NamedTuple, TypeAlias, TypeVar, Union, get_args, get_origin

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
_REFERENCE = 'write the text itself, or {env = "NAME"} or {file = "PATH"}, one of them alone'
_NO_LISTS = (str, bytes, Mapping, BaseModel)


class Section(NamedTuple, Generic[M]):
    """A validated table and what was ignored in it."""

    value: M
    warnings: tuple[str, ...]


def validate_section(cls: type[M], table: Mapping[str, Any], origins: Origins, *, at: Path = ()) -> Section[M]:
    """The table as an instance of its class; raises `SettingsError` with all problems at once.

    `at` is the table's own key path. Unknown keys are refused with the nearest known one; where they are environment
    variables they are ignored with a warning, because the environment is shared with others. Validators find the whole
    table in `info.context`.
    """
    known, unknown = _known(cls, table, at, origins)
    warnings = [text for text, environment in unknown if environment]
    problems = [text for text, environment in unknown if not environment]
    try:
        value = cls.model_validate(known, context=known)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False)
        problems += [
            _sentence(detail["loc"], _in_words(detail), origins, at)
            for detail in details
            if detail["type"] != "default_factory_not_called"  # only follows from another field's problem
        ]
    else:
        if not problems:
            return Section(value, tuple(warnings))
    secrets = sorted(_secrets(cls, known), key=len, reverse=True)
    raise SettingsError(_mask(problem, secrets) for problem in problems) from None


Read: TypeAlias = tuple[Any, list[tuple[str, bool]]]
"""A value without its unknown keys, and a sentence for each of these with whether it came from the environment."""


def _known(cls: type[BaseModel], table: Mapping[str, Any], at: Path, origins: Origins) -> Read:
    """The table with its known keys, environment texts decoded."""
    fields = field_names(cls)
    open_ended = cls.model_config.get("extra") == "allow"
    known: dict[str, Any] = {}
    unknown: list[tuple[str, bool]] = []
    for key, value in table.items():
        path = (*at, key)
        if (field := fields.get(key)) is not None:
            known[key], below = _read(field.annotation, value, path, origins)
            unknown += below
        elif open_ended:
            known[key] = value
        else:
            unknown += _unknown(path, fields, origins)
    return known, unknown


def _read(annotation: Any, value: Any, path: Path, origins: Origins) -> Read:
    """The same for one value: a table, or a table or list of tables of one class, or whatever else."""
    if isinstance(value, str) and locate(path, origins).environment:
        value = _decode(value, annotation)
    if isinstance(value, Mapping):
        if (inner := nested_model(annotation)) is not None:
            return _known(inner, value, path, origins)
        if (each := _model_of_each(annotation, Mapping)) is not None:
            read = {key: _read(each, one, (*path, key), origins) for key, one in value.items()}
            return {key: one for key, (one, _) in read.items()}, [told for _, below in read.values() for told in below]
    if isinstance(value, list) and (each := _model_of_each(annotation, Sequence)) is not None:
        listed = [_read(each, one, (*path, str(number)), origins) for number, one in enumerate(value)]
        return [one for one, _ in listed], [told for _, below in listed for told in below]
    return value, []


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
    """The class of a table inside a section; None where it may be one of several."""
    tables = [one for one in _alternatives(annotation) if isinstance(one, type) and issubclass(one, BaseModel)]
    return tables[0] if len(tables) == 1 else None


def _model_of_each(annotation: Any, kind: type) -> type[BaseModel] | None:
    """The class of the tables in a table by name, or in a list."""
    for option in _alternatives(annotation):
        origin, arguments = get_origin(option), get_args(option)
        if isinstance(origin, type) and issubclass(origin, kind) and arguments:
            return nested_model(arguments[1 if kind is Mapping else 0])
    return None


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


def _in_words(detail: Any) -> str | None:
    """What pydantic found, in words of TOML; None where something is missing."""
    kind = detail["type"]
    if kind == "missing":
        return None
    if kind == "string_type" and isinstance(detail["input"], Mapping):
        return _REFERENCE
    message: str = _KINDS.get(kind, detail["msg"]).removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return message.removesuffix(".")


def _sentence(loc: tuple[int | str, ...], message: str | None, origins: Origins, at: Path) -> str:
    path = (*at, *(part for part in loc if part != "[key]"))
    if message is None and any(isinstance(part, int) for part in path):  # no variable names an element of a list
        message = "is required"
    if message is None:
        return f"{'.'.join(map(str, path))}: is required; set it in the file or as {variable(path)}"
    place = locate(path, origins).text or "settings"
    return f"{place}: {message[:1].lower()}{message[1:]}"


def is_secret(field: FieldInfo) -> bool:
    """Whether a field's value must not be shown: by its type, or because its class keeps it out of its `repr`."""
    return "Secret" in repr(field.annotation) or not field.repr


def _secrets(cls: type[BaseModel], table: Mapping[str, Any]) -> Iterator[str]:
    """The texts of secret fields: a validator's own message may quote its input."""
    for key, field in field_names(cls).items():
        value = table.get(key)
        if is_secret(field):
            yield from _texts(value)
        for inner, one in _tables_in(field.annotation, value):
            yield from _secrets(inner, one)


def _tables_in(annotation: Any, value: Any) -> Iterator[tuple[type[BaseModel], Mapping[str, Any]]]:
    """The tables of a value, each with its class."""
    if (inner := nested_model(annotation)) is not None:
        found: Iterable[Any] = [value]
    elif isinstance(value, Mapping):
        inner, found = _model_of_each(annotation, Mapping), value.values()
    else:
        inner, found = _model_of_each(annotation, Sequence), value if isinstance(value, list) else []
    if inner is not None:
        yield from ((inner, one) for one in found if isinstance(one, Mapping))


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

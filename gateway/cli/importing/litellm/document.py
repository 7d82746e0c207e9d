"""Reads a configuration's YAML as plain data: bounded, nothing constructed but texts, numbers, lists and mappings."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any, Final

import yaml

from gateway.cli.endings import Failed

_BYTES: Final = 4 << 20
_EVENTS: Final = 200_000
_DEPTH: Final = 40
_VALUES: Final = 200_000
"""What is left when aliases are written out: ten lines of them can stand for more than fits any memory."""


class Document:
    """One file's content, and the keys that stand in it twice: YAML keeps the last and says nothing."""

    def __init__(self, name: str, content: dict[str, Any], repeated: tuple[str, ...]) -> None:
        self.name = name
        self.content = content
        self.repeated = repeated


def read_document(path: Path, name: str) -> Document:
    """The file as plain data; ends the command with the line of what cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(_BYTES + 1)
    except OSError as error:
        raise Failed(f"The file {name} cannot be read: {error.strerror}.") from error
    if len(data) > _BYTES:
        raise Failed(f"The file {name} has more than {_BYTES >> 20} MiB: is it a LiteLLM configuration?")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Failed(f"The file {name} is not text in UTF-8.") from error
    return parse(text, name)


def parse(text: str, name: str = "config.yaml") -> Document:
    """The text as plain data."""
    try:
        _refuse_too_much(text)
        loader = _Loader(text)
        try:
            content = _plain(loader.get_single_data(), iter(range(_VALUES)))
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f", line {mark.line + 1}" if mark else ""
        raise Failed(f"The file {name}{where} is no YAML that can be read: {error.problem}.") from error
    except yaml.YAMLError as error:
        raise Failed(f"The file {name} is no YAML: it has characters that none may have.") from error
    except _TooMuch as error:
        raise Failed(f"The file {name} {error}: is it a LiteLLM configuration?") from error
    except (ValueError, OverflowError) as error:  # a date that is none, a number beyond all limits
        raise Failed(f"The file {name} holds a value that cannot be read: {str(error)[:100]}.") from error
    if content is not None and not isinstance(content, dict):
        raise Failed(f"The file {name} holds no mapping: a LiteLLM configuration begins with `model_list:`.")
    return Document(name, content or {}, tuple(loader.repeated))


class _TooMuch(Exception):
    """More of it than any configuration has."""


class _Loader(yaml.SafeLoader):
    """YAML's own values and nothing else; remembers keys that stand twice in one mapping."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.repeated: list[str] = []
        self._looked_at: set[int] = set()

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Before merge keys are written out, which may well be overridden."""
        if id(node) not in self._looked_at:
            self._looked_at.add(id(node))
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode) and key.value != "<<"]
            self.repeated += sorted({key for key in keys if keys.count(key) > 1})
        super().flatten_mapping(node)


def _refuse_too_much(text: str) -> None:
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEPTH:
            raise _TooMuch(f"is nested more than {_DEPTH} levels deep")
        if count > _EVENTS:
            raise _TooMuch(f"holds more than {_EVENTS} values")


def _plain(value: Any, budget: Iterator[int], depth: int = 0) -> Any:
    """A copy without shared parts, so that it is finite; keys and odd values are texts."""
    if next(budget, None) is None:
        raise _TooMuch(f"holds more than {_VALUES} values once its aliases are written out")
    if depth > _DEPTH:
        raise _TooMuch(f"is nested more than {_DEPTH} levels deep once its aliases are written out")
    if isinstance(value, dict):
        return {_key(key): _plain(item, budget, depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [_plain(item, budget, depth + 1) for item in value]
    if isinstance(value, date):  # and datetime: `api_version: 2024-10-21` is meant as text
        return value.isoformat()
    if isinstance(value, str):
        return _well_formed(value)
    return value if isinstance(value, int | float | bool | None) else "(binary)"


def _key(key: Any) -> str:
    """A key as it was meant: `on:` is a truth to YAML, and a date one of a calendar."""
    if isinstance(key, date):
        return key.isoformat()
    if key is None or isinstance(key, bool):
        return "null" if key is None else str(key).lower()
    return _well_formed(str(key))


def _well_formed(text: str) -> str:
    """The text with escaped halves of a character joined, as JSON's writers leave them; a lone one is replaced."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")

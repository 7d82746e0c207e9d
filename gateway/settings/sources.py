"""The sources of settings: one TOML file and the environment, each value with its origin."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gateway.settings.model import expanded
from gateway.settings.problems import Origin
from gateway.settings.problems import Path as KeyPath

PREFIX = "GATEWAY_"
CONFIG = "GATEWAY_CONFIG"
_NO_SETTINGS = {CONFIG, "GATEWAY_ADMIN_KEY", "GATEWAY_API_KEY", "GATEWAY_DEBUG"}
"""Variables the command line reads itself."""
_PATHS = {("data_dir",), ("plugin_files",)}
_KUBERNETES = re.compile(r"GATEWAY_(?:[A-Z0-9_]+_)?(?:SERVICE_(?:HOST|PORT)|PORT_\d+_(?:TCP|UDP|SCTP))(?:_[A-Z0-9_]+)?")


class _UnresolvedError(Exception):
    """A reference names something that is not there."""


class Source:
    """Settings of one source: a tree, where each value was written, and what is wrong with it."""

    def __init__(self) -> None:
        self.tree: dict[str, Any] = {}
        self.origins: dict[KeyPath, Origin] = {}
        self.problems: list[str] = []
        self.warnings: list[str] = []

    def put(self, path: KeyPath, value: Any, origin: Origin) -> None:
        """Set one value; tables on its way are made, anything else there is replaced."""
        table = self.tree
        for key in path[:-1]:
            inner = table.get(key)
            if not isinstance(inner, dict):
                inner = table[key] = {}
            table = inner
        table[path[-1]] = value
        self.origins = {known: at for known, at in self.origins.items() if known[: len(path)] != path}
        self.origins[path] = origin

    def over(self, other: "Source") -> "Source":
        """This source laid over another one."""
        both = Source()
        for source in (other, self):
            for path, origin in source.origins.items():
                both.put(path, source.at(path), origin)
            both.problems += source.problems
            both.warnings += source.warnings
        return both

    def at(self, path: KeyPath) -> Any:
        """The value at a path that is known to exist."""
        value: Any = self.tree
        for key in path:
            value = value[key]
        return value


def read_file(file: Path, *, named_by: str, environ: Mapping[str, str]) -> Source:
    """The settings of a TOML file; `named_by` is who named it, for the sentence when it cannot be read."""
    source = Source()
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        source.problems.append(f"{file}: is not valid TOML: {error}")
    except UnicodeDecodeError:
        source.problems.append(f"{file}: is not UTF-8 text")
    except RecursionError:
        source.problems.append(f"{file}: is nested too deeply")
    except (OSError, ValueError) as error:  # ValueError: a path with a NUL
        source.problems.append(f"{named_by}: cannot read {file}: {getattr(error, 'strerror', error)}")
    else:
        for path, value in _leaves(document, ()):
            origin = Origin(f"{file}: {'.'.join(path)}")
            try:
                resolved = _resolve(value, file.parent, environ)
            except _UnresolvedError as error:
                source.problems.append(f"{origin.text}: {error}")
            else:
                source.put(path, _beside(resolved, file.parent) if path in _PATHS else resolved, origin)
    return source


def _leaves(table: Mapping[str, Any], at: KeyPath) -> Iterator[tuple[KeyPath, Any]]:
    for key, value in table.items():
        path = (*at, key)
        if isinstance(value, dict) and (not value or not _is_reference(value, path)):
            yield from _leaves(value, path) if value else iter([(path, value)])
        else:
            yield path, value


def _is_reference(value: Mapping[str, Any], path: KeyPath) -> bool:
    # A whole plugin section may happen to hold nothing but a setting called `env`.
    is_section = path[:1] == ("plugins",) and len(path) <= 2
    return (
        not is_section
        and len(value) == 1
        and all(k in ("env", "file") and isinstance(v, str) for k, v in value.items())
    )


def _resolve(value: Any, folder: Path, environ: Mapping[str, str]) -> Any:
    """The value with `{env="X"}` and `{file="path"}` replaced by what they name."""
    if isinstance(value, list):
        return [_resolve(item, folder, environ) for item in value]
    if not isinstance(value, dict) or not _is_reference(value, ()):
        return value
    if "env" in value:
        if value["env"] not in environ:
            raise _UnresolvedError(f"the environment variable {value['env']} is not set")
        return environ[value["env"]]
    try:
        file = folder / expanded(value["file"])
        return file.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError as error:
        raise _UnresolvedError(f"{value['file']} is not UTF-8 text") from error
    except (OSError, ValueError) as error:
        raise _UnresolvedError(f"cannot read {value['file']}: {getattr(error, 'strerror', error)}") from error


def _beside(value: Any, folder: Path) -> Any:
    """Relative paths in a file are relative to it."""
    if isinstance(value, list):
        return [_beside(item, folder) for item in value]
    return str(folder / value) if isinstance(value, str) and value and not value.startswith("~") else value


def read_environment(environ: Mapping[str, str]) -> Source:
    """The settings of `GATEWAY_*` variables; `__` separates the keys of nested tables."""
    source = Source()
    kubernetes = []
    for name in sorted(environ):
        if not name.startswith(PREFIX) or name in _NO_SETTINGS:
            continue
        path = tuple(name.removeprefix(PREFIX).lower().split("__"))
        if _KUBERNETES.fullmatch(name) or (name == "GATEWAY_PORT" and "://" in environ[name]):
            kubernetes.append(name)
        elif all(path) and (path[0] != "plugins" or len(path) > 2):
            source.put(path, environ[name], Origin(name, environment=True))
        else:
            source.warnings.append(f"{name}: is no setting and is ignored")
    if kubernetes:
        names = ", ".join(kubernetes)
        source.warnings.append(
            f"{names}: ignored, Kubernetes sets these for a service called 'gateway'"
            " (`enableServiceLinks: false` turns them off)"
        )
    return source

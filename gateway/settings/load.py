"""Load the settings from all their sources."""

import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gateway.settings.model import Settings, default_data_dir, expanded
from gateway.settings.problems import Origin, SettingsError, locate
from gateway.settings.sections import validate_section
from gateway.settings.sources import CONFIG, Source, read_environment, read_file
from gateway.settings.switches import SwitchFile, apply_switches

FILE_NAME = "gateway.toml"
_NOTHING: Mapping[str, Any] = MappingProxyType({})


def load_settings(
    config: Path | None = None,
    environ: Mapping[str, str] = os.environ,
    overrides: Mapping[str, Any] = _NOTHING,
) -> Settings:
    """The settings of the file, the environment over it, `overrides` (the command line's options) over both.
    What the operator switched while the gateway ran counts where none of them says whether a plugin is on.

    The file is `config`, else `GATEWAY_CONFIG`, else `./gateway.toml`, else the data directory's; naming one that
    cannot be read is an error, having none is not. Overrides that are None are no overrides.
    Raises `SettingsError` with everything wrong at once.
    """
    given = _given(overrides)
    environment = read_environment(environ)
    try:
        data_dir = _data_dir(given, environment, environ)
    except ValueError as error:
        raise SettingsError([f"data_dir: {error}"]) from error
    source = given.over(environment.over(_file(config, environ, data_dir)))
    source.tree.setdefault("data_dir", data_dir)
    _read_switches(source)
    try:
        section = validate_section(Settings, source.tree, source.origins)
    except SettingsError as error:
        raise SettingsError([*source.problems, *error.problems], _rest(source)) from None
    if source.problems:
        raise SettingsError(source.problems, _rest(source))
    found = {
        "warnings": (*source.warnings, *section.warnings),
        "origins": MappingProxyType(source.origins),
        "again": partial(load_settings, config, environ, overrides),
    }
    settings = section.value.model_copy(update=found)
    try:
        return apply_switches(settings, SwitchFile(settings.data_dir).read())
    except SettingsError as error:
        raise SettingsError(error.problems, settings) from error


def _rest(source: Source) -> Settings:
    """What is right by itself."""
    right: dict[str, Any] = {}
    for key in sorted(source.tree, key="routes".__eq__):  # those last: they name the models
        try:
            validate_section(Settings, {**right, key: source.tree[key]}, source.origins)
        except SettingsError:
            continue
        right[key] = source.tree[key]
    rest = validate_section(Settings, right, source.origins).value
    return rest.model_copy(update={"origins": MappingProxyType(source.origins)})


def _data_dir(given: Source, environment: Source, environ: Mapping[str, str]) -> Path:
    """The data directory as far as it is known before the file, which may stand in it."""
    for source in (given, environment):
        value = source.tree.get("data_dir")
        if isinstance(value, str | Path) and value:
            return expanded(value)
    return default_data_dir(environ)


def _given(overrides: Mapping[str, Any]) -> Source:
    source = Source()
    for name, value in overrides.items():
        if value is not None:
            source.put((name,), value, Origin("--" + name.replace("_", "-")))
    return source


def _file(config: Path | None, environ: Mapping[str, str], data_dir: Path) -> Source:
    if config is not None:
        return read_file(config, named_by="--config", environ=environ)
    if environ.get(CONFIG):
        return read_file(Path(environ[CONFIG]), named_by=CONFIG, environ=environ)
    for file in (Path(FILE_NAME), data_dir / FILE_NAME):
        if os.path.isfile(file):  # `Path` raises below a directory that may not be searched
            return read_file(file, named_by="settings", environ=environ)
    return Source()


def _read_switches(source: Source) -> None:
    """Make every plugin's `enabled` a bool: it is ours, whatever class reads the rest of the section."""
    plugins = source.tree.get("plugins")
    for name, table in plugins.items() if isinstance(plugins, dict) else ():
        if not isinstance(table, dict) or "enabled" not in table:
            continue
        try:
            table["enabled"] = TypeAdapter(bool).validate_python(table["enabled"])
        except ValidationError:
            origin = locate(("plugins", name, "enabled"), source.origins)
            source.problems.append(f"{origin.text}: should be true or false")

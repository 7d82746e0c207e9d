"""Load every enabled plugin by itself, and record why one cannot be loaded."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pluggy
from pydantic import BaseModel

from gateway import API_VERSION
from gateway.runtime import apirange, hooks
from gateway.runtime.discovery import Candidate, discover
from gateway.runtime.missing import missing_module
from gateway.runtime.plugins import PluginEntry, PluginLoadError, Plugins, State, new_manager
from gateway.settings import Settings, SettingsError, suggest, validate_section

_DISABLED = "turned off by 'enabled = false'"
_NOT_ENABLED = "installed, not enabled: set 'enabled = true' in its section"
_SAFE_MODE = "safe mode loads only the gateway's own plugins"


def load_plugins(settings: Settings, *, files: Iterable[Path] = (), only: str | None = None) -> Plugins:
    """Import and register the enabled plugins, or `only` the one of that name.

    Never fails: what cannot be loaded is in `Plugins.entries` with its reason and in `Plugins.problems()`, so that the
    command line can always start and tell. Disabled plugins are not imported.
    """
    candidates = discover((*settings.plugin_files, *files))
    problems, warnings = _strangers(settings, {candidate.name for candidate in candidates})
    manager = new_manager()
    entries: list[PluginEntry] = []
    owners: dict[str, Candidate] = {}
    for candidate in candidates:
        if only not in (None, candidate.name):
            continue
        entry = _entry(candidate)
        first = owners.setdefault(candidate.name, candidate)
        reason = _off(candidate, settings)
        if reason:
            entries.append(msgspec.structs.replace(entry, reason=reason))
            continue
        try:
            if first is not candidate:
                raise PluginLoadError(_twice(first, candidate))
            entry, told = _load(candidate, entry, settings, manager)
            warnings += told
        except PluginLoadError as error:
            entry = msgspec.structs.replace(entry, state=State.FAILED, reason=str(error))
            problems.append(f"{entry.title}: {error}")
        except SettingsError as error:
            entry = msgspec.structs.replace(entry, state=State.FAILED, reason="; ".join(error.problems))
            problems += error.problems
        entries.append(entry)
    return Plugins(manager, entries, problems=problems, warnings=warnings)


def _entry(candidate: Candidate) -> PluginEntry:
    return PluginEntry(
        name=candidate.name,
        distribution=candidate.distribution,
        version=candidate.version,
        origin=candidate.origin,
        api=",".join(candidate.api),
    )


def _off(candidate: Candidate, settings: Settings) -> str:
    """Why the plugin is not to be loaded; empty when it is."""
    enabled = settings.plugins.get(candidate.name, {}).get("enabled")
    if enabled is False:
        return _DISABLED
    if settings.safe_mode and not candidate.ours:
        return _SAFE_MODE
    return "" if enabled or candidate.ours or candidate.is_file else _NOT_ENABLED


def _twice(first: Candidate, second: Candidate) -> str:
    places = " and ".join(f"'{one.distribution or one.origin}'" for one in (first, second))
    return f"two plugins are called '{second.name}', of {places}; uninstall one of them or set 'enabled = false'"


def _load(
    candidate: Candidate, entry: PluginEntry, settings: Settings, manager: pluggy.PluginManager
) -> tuple[PluginEntry, list[str]]:
    refused = candidate.misnamed or ("" if candidate.ours else apirange.refusal(candidate.api, API_VERSION))
    if refused:
        raise PluginLoadError(refused)
    plugin = _import(candidate)
    names = hooks.implemented(manager, plugin)
    own, warnings = _own_settings(plugin, candidate.name, settings)
    try:
        manager.register(plugin, name=candidate.name)
    except (ValueError, pluggy.PluginValidationError) as error:
        raise PluginLoadError(f"it cannot be registered: {error}") from error
    warnings += [f"{entry.title}: {told}" for told in hooks.oversights(manager, plugin)]
    return msgspec.structs.replace(entry, state=State.ACTIVE, hooks=names, settings=own), warnings


def _import(candidate: Candidate) -> Any:
    try:
        return candidate.load()
    except KeyboardInterrupt:
        raise
    except ModuleNotFoundError as error:
        raise PluginLoadError(missing_module(candidate, error)) from error
    except SyntaxError as error:
        raise PluginLoadError(f"its code has a syntax error: {error}") from error
    except SystemExit as error:
        raise PluginLoadError("its code ends the process when it is imported (SystemExit)") from error
    except BaseException as error:  # the border: foreign code may raise anything when it is imported
        raise PluginLoadError(f"it cannot be imported: {type(error).__name__}: {error}") from error


def _own_settings(plugin: Any, name: str, settings: Settings) -> tuple[BaseModel | None, list[str]]:
    """The plugin's section as an instance of its `Settings` class, with warnings about ignored variables."""
    table = {key: value for key, value in settings.plugins.get(name, {}).items() if key != "enabled"}
    cls = getattr(plugin, "Settings", None)
    if cls is None:
        cls, nothing = _NoSettings, True
    elif isinstance(cls, type) and issubclass(cls, BaseModel):
        nothing = False
    else:
        raise PluginLoadError("its 'Settings' is no pydantic model")
    section = validate_section(cls, table, settings.origins, at=("plugins", name))
    return (None if nothing else section.value), list(section.warnings)


class _NoSettings(BaseModel):
    """The section of a plugin without a `Settings` class: nothing but `enabled`."""


def _strangers(settings: Settings, known: set[str]) -> tuple[list[str], list[str]]:
    """Problems and warnings about sections of plugins that are not installed."""
    problems: list[str] = []
    warnings: list[str] = []
    for name, table in settings.plugins.items():
        if name in known:
            continue
        sentence = f"plugins.{name}: no plugin of that name is installed{suggest(name, known)}"
        written = [origin for path, origin in settings.origins.items() if path[:2] == ("plugins", name)]
        # The environment is shared with others; a file is ours, and what it says is meant.
        refused = table.get("enabled", any(not origin.environment for origin in written))
        (problems if refused else warnings).append(sentence)
    return problems, warnings

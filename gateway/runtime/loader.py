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
    loading = _Loading(settings, new_manager())
    loading.refuse_strangers({candidate.name for candidate in candidates})
    entries = [loading.entry(candidate) for candidate in candidates if only in (None, candidate.name)]
    return Plugins(loading.manager, entries, problems=loading.problems, warnings=loading.warnings)


class _Loading:
    """One pass over the candidates: what is registered, and what there is to tell."""

    def __init__(self, settings: Settings, manager: pluggy.PluginManager) -> None:
        self.settings = settings
        self.manager = manager
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self._owners: dict[str, Candidate] = {}

    def refuse_strangers(self, known: set[str]) -> None:
        """Tell of sections whose plugin is not installed."""
        for name, table in self.settings.plugins.items():
            if name in known:
                continue
            sentence = f"plugins.{name}: no plugin of that name is installed{suggest(name, known)}"
            written = [origin for path, origin in self.settings.origins.items() if path[:2] == ("plugins", name)]
            # The environment is shared with others; a file is ours, and what it says is meant.
            refused = table.get("enabled", any(not origin.environment for origin in written))
            (self.problems if refused else self.warnings).append(sentence)

    def entry(self, candidate: Candidate) -> PluginEntry:
        """The candidate, loaded if it is enabled and can be."""
        entry = _entry(candidate)
        owner = self._owners.get(candidate.name)
        reason = _off(candidate, self.settings)
        if reason:
            if owner is not None:
                reason = _twice(owner, candidate)
                self.warnings.append(reason)
            return msgspec.structs.replace(entry, reason=reason)
        self._owners.setdefault(candidate.name, candidate)
        try:
            if owner is not None:
                raise PluginLoadError(_twice(owner, candidate))
            entry, warnings = _load(candidate, entry, self.settings, self.manager)
        except PluginLoadError as error:
            self.problems.append(f"{entry.title}: {error}")
            return msgspec.structs.replace(entry, state=State.FAILED, reason=str(error))
        except SettingsError as error:
            self.problems += error.problems
            return msgspec.structs.replace(entry, state=State.FAILED, reason="; ".join(error.problems))
        self.warnings += warnings
        return entry


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

"""Load every enabled plugin by itself, and record why one cannot be loaded."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import msgspec
import pluggy

from gateway import API_VERSION
from gateway.runtime import apirange, hooks, kinds
from gateway.runtime.discovery import Candidate, discover
from gateway.runtime.missing import missing_module
from gateway.runtime.own_settings import own_settings
from gateway.runtime.plugins import PluginEntry, PluginLoadError, Plugins, State, new_manager
from gateway.runtime.watch import HangError, within
from gateway.settings import Settings, SettingsError, locate, suggest

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
    if only is None:
        loading.check_order(entries)
    return Plugins(
        loading.manager,
        entries,
        settings,
        problems=loading.problems,
        wrong_settings=loading.wrong_settings,
        warnings=loading.warnings,
    )


class _ConflictError(PluginLoadError):
    """Something is wrong between a plugin and its surroundings, which no kind of plugin may serve with."""


class _Loading:
    """One pass over the candidates: what is registered, and what there is to tell."""

    def __init__(self, settings: Settings, manager: pluggy.PluginManager) -> None:
        self.settings = settings
        self.manager = manager
        self.problems: list[str] = []
        self.wrong_settings: list[str] = []
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
            (self.wrong_settings if refused else self.warnings).append(sentence)

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
                raise _ConflictError(_twice(owner, candidate))
            entry, warnings = _load(candidate, entry, self.settings, self.manager)
        except PluginLoadError as error:
            needed = isinstance(error, _ConflictError) or candidate.declared.needed()
            if needed:
                self.problems.append(f"{entry.title}: {error}")
            return msgspec.structs.replace(entry, state=State.FAILED, reason=str(error), needed=needed)
        except SettingsError as error:
            self.wrong_settings += error.problems
            return msgspec.structs.replace(entry, state=State.FAILED, reason="; ".join(error.problems))
        self.warnings += warnings
        return entry

    def check_order(self, entries: Iterable[PluginEntry]) -> None:
        """Tell of names in the operator's order that stand for nothing."""
        by_name = {entry.name: entry for entry in entries}
        for stage, names in self.settings.order:
            place = locate(("order", stage), self.settings.origins).text
            fitting = [name for name, entry in by_name.items() if f"register_{stage}" in entry.hooks]
            for name in names:
                entry = by_name.get(name)
                if entry is None:
                    known = suggest(name, fitting) or suggest(name, by_name)
                    self.wrong_settings.append(f"{place}: no plugin is called '{name}'{known}")
                elif entry.state is State.ACTIVE and name not in fitting:
                    self.wrong_settings.append(f"{place}: {entry.title} registers no {stage}")


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
    return f"two plugins are called '{second.name}', of {places}; {_parted(first, second)}"


def _parted(first: Candidate, second: Candidate) -> str:
    """What parts them: no setting does, their section is one and the same."""
    if second.is_file:
        return "rename the file" + ("" if first.ours or first.is_file else f" or uninstall '{first.distribution}'")
    return f"uninstall '{second.distribution}'" if first.ours else "uninstall one of them"


def _load(
    candidate: Candidate, entry: PluginEntry, settings: Settings, manager: pluggy.PluginManager
) -> tuple[PluginEntry, list[str]]:
    if candidate.misnamed:
        raise _ConflictError(candidate.misnamed)
    for kind in candidate.declared.unknown:
        raise _ConflictError(f"its keyword 'gateway-kind-{kind}' names no kind{suggest(kind, kinds.names())}")
    refused = "" if candidate.ours else apirange.refusal(candidate.api, API_VERSION)
    if refused:
        raise PluginLoadError(refused)
    plugin = import_plugin(candidate, settings.plugin_start_seconds)
    names = hooks.implemented(manager, plugin)
    hidden = candidate.declared.hidden(names)
    if hidden:
        raise _ConflictError(
            f"its hooks make it {' and '.join(hidden)} too: add the keyword 'gateway-kind-{hidden[0]}'"
        )
    own, warnings = own_settings(plugin, candidate.name, settings)
    try:
        manager.register(plugin, name=candidate.name)
    except (ValueError, pluggy.PluginValidationError) as error:
        raise PluginLoadError(f"it cannot be registered: {error}") from error
    warnings += [f"{entry.title}: {told}" for told in hooks.oversights(manager, plugin)]
    needed = kinds.needed(names, skips=candidate.declared.skips)
    return msgspec.structs.replace(entry, state=State.ACTIVE, hooks=names, needed=needed, settings=own), warnings


def import_plugin(candidate: Candidate, seconds: float) -> Any:
    """The plugin's module; raises `PluginLoadError` with the reason, whatever its code does or does not do."""
    try:
        return within(seconds, candidate.load)
    except KeyboardInterrupt:
        raise
    except ModuleNotFoundError as error:
        raise PluginLoadError(missing_module(candidate, error)) from error
    except SyntaxError as error:
        raise PluginLoadError(f"its code has a syntax error: {error}") from error
    except SystemExit as error:
        raise PluginLoadError("its code ends the process when it is imported (SystemExit)") from error
    except HangError as error:
        raise PluginLoadError(f"its import {error}") from error
    except BaseException as error:  # the border: foreign code may raise anything when it is imported
        raise PluginLoadError(f"it cannot be imported: {type(error).__name__}: {error}") from error

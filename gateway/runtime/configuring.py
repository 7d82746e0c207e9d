"""Look at one plugin's settings, whether it is enabled or not."""

from typing import NamedTuple

from pydantic import BaseModel

from gateway.runtime.discovery import Candidate, discover
from gateway.runtime.loader import import_plugin
from gateway.runtime.own_settings import own_settings, settings_class
from gateway.runtime.plugins import PluginLoadError
from gateway.settings import Settings, suggest


class Configured(NamedTuple):
    """A plugin's `Settings` class, and whether the plugin is loaded if nobody says so."""

    name: str
    cls: type[BaseModel]
    on_by_default: bool


class SectionOf:
    """One plugin's section; imports the plugin, which is what asking about it by name permits.

    Raises `PluginLoadError` when there is no such plugin, or it cannot be imported.
    """

    def __init__(self, settings: Settings, name: str) -> None:
        self._settings = settings
        candidate = _candidate(settings, name)
        try:
            self._plugin = import_plugin(candidate, settings.plugin_start_seconds)
            self.configured = Configured(name, settings_class(self._plugin), candidate.ours or candidate.is_file)
        except PluginLoadError as error:
            raise PluginLoadError(f"plugin '{name}' ({candidate.distribution or candidate.origin}): {error}") from error

    def read(self) -> tuple[BaseModel | None, list[str]]:
        """What is configured, and warnings; raises `SettingsError` with everything wrong in it."""
        return own_settings(self._plugin, self.configured.name, self._settings)


def shipped() -> list[str]:
    """The names of the gateway's own plugins."""
    return [candidate.name for candidate in discover() if candidate.ours]


def _candidate(settings: Settings, name: str) -> Candidate:
    found = {candidate.name: candidate for candidate in reversed(discover(settings.plugin_files))}
    if name not in found:
        raise PluginLoadError(f"no plugin is called '{name}'{suggest(name, found)}")
    return found[name]

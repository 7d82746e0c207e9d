"""What the tests of plugin loading share: the types of their fixtures, and looking at what was loaded."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from gateway.runtime import PluginEntry, Plugins

Install = Callable[..., str]
Load = Callable[..., Plugins]


def found(plugins: Plugins, name: str = "acme") -> PluginEntry:
    """The one entry of that name."""
    (entry,) = (entry for entry in plugins.entries if entry.name == name)
    return entry


def gateway_for(entry: PluginEntry) -> Any:
    """What hooks receive: enough for hooks that look at their settings."""
    return SimpleNamespace(settings=entry.settings, plugin=entry.name)

"""Plugins: found, loaded, checked and assembled into generations."""

from gateway.runtime.assembly import assemble
from gateway.runtime.faults import Faults
from gateway.runtime.generation import Generation, Registered
from gateway.runtime.generations import Generations
from gateway.runtime.loader import load_plugins
from gateway.runtime.plugins import PluginEntry, PluginLoadError, Plugins, PluginSettingsError, State

__all__ = (
    "Faults",
    "Generation",
    "Generations",
    "PluginEntry",
    "PluginLoadError",
    "PluginSettingsError",
    "Plugins",
    "Registered",
    "State",
    "assemble",
    "load_plugins",
)

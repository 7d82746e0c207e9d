"""A plugin's section of the settings, read by the plugin's own `Settings` class."""

from functools import partial
from typing import Any

from pydantic import BaseModel

from gateway.runtime.plugins import PluginLoadError
from gateway.runtime.watch import HangError, within
from gateway.settings import Settings, SettingsError, validate_section


class NoSettings(BaseModel):
    """The section of a plugin without a `Settings` class: nothing but `enabled`."""


def settings_class(plugin: Any) -> type[BaseModel]:
    """The plugin's `Settings`, or `NoSettings`; raises `PluginLoadError` when it is something else."""
    cls = getattr(plugin, "Settings", NoSettings)
    if isinstance(cls, type) and issubclass(cls, BaseModel):
        return cls
    raise PluginLoadError("its 'Settings' is no pydantic model")


def own_settings(plugin: Any, name: str, settings: Settings) -> tuple[BaseModel | None, list[str]]:
    """The plugin's section as an instance of its class, with warnings about ignored variables.

    Raises `SettingsError` with all that is wrong in it, `PluginLoadError` when the class itself is broken.
    """
    cls = settings_class(plugin)
    read = partial(validate_section, cls, section_table(settings, name), settings.origins, at=("plugins", name))
    try:
        section = within(settings.plugin_start_seconds, read)
    except SettingsError:
        raise
    except HangError as error:
        raise PluginLoadError(f"its 'Settings' class {error}") from error
    except Exception as error:  # the border: a validator is a plugin's code; its words might quote a secret
        raise PluginLoadError(f"its 'Settings' class fails with {type(error).__name__}") from error
    return (None if cls is NoSettings else section.value), list(section.warnings)


def section_table(settings: Settings, name: str) -> dict[str, Any]:
    """What is written for the plugin, without the gateway's own key."""
    return {key: value for key, value in settings.plugins.get(name, {}).items() if key != "enabled"}

"""What the operator may switch at run time, and why not."""

import logging

from gateway.runtime.discovery import discover
from gateway.settings import Settings, SettingsError, Switches, SwitchesChanged, SwitchFile, managed_by, suggest

_log = logging.getLogger("gateway.runtime")


class SwitchRefused(Exception):
    """The plugins cannot be switched so; the message says what to do instead."""


class UnknownPlugin(SwitchRefused):
    """No plugin of that name is installed."""


def switched(settings: Settings, name: str, *, on: bool) -> Switches:
    """The switches with this plugin on or off, not written yet; raises `SwitchRefused`."""
    switches = SwitchFile(settings.data_dir).read()
    found = next((one for one in discover(settings.plugin_files) if one.name == name), None)
    if found is None:
        if not on and name in switches.enabled:
            return switches.switched(name, None)
        known = [one.name for one in discover(settings.plugin_files)]
        raise UnknownPlugin(f"no plugin '{name[:100]}' is installed{suggest(name, known)}")
    origin = managed_by(settings, name)
    if origin is not None:
        word = "variable" if origin.environment else "setting"
        verb = "on" if settings.plugins[name]["enabled"] else "off"
        raise SwitchRefused(
            f"'{name}' is switched {verb} by the {word} {origin.text}: change it there, then reload"
            + (" - a variable counts from the next start." if origin.environment else ".")
        )
    if on and settings.safe_mode and not found.ours:
        raise SwitchRefused(f"'{name}' stays off: safe mode loads only the gateway's own plugins.")
    return switches.switched(name, on)


def rolled_back(settings: Settings) -> Switches:
    """The switches as they were before the last change, not written yet; raises `SwitchRefused`."""
    before = SwitchFile(settings.data_dir).read().rolled_back()
    if before is None:
        raise SwitchRefused("There is nothing to go back to: no plugin was switched while the gateway ran.")
    return before


def write_switches(settings: Settings, switches: Switches) -> None:
    """Make them the switches of every start and worker, after those in the settings; raises `SwitchRefused`."""
    try:
        SwitchFile(settings.data_dir).write(switches, after=settings.revision)
    except SwitchesChanged as error:
        raise SwitchRefused(str(error)) from error
    except OSError as error:
        raise SwitchRefused(f"The switch cannot be written: {error.strerror}.") from error


def ask_to_reload(settings: Settings) -> None:
    """Let every worker of this data directory read settings and plugins anew; raises nothing."""
    file = SwitchFile(settings.data_dir)
    try:
        before = file.read()
        file.write(before.repeated(), after=before.revision)
    except (SettingsError, SwitchesChanged, OSError) as error:
        _log.error("reload_failed", extra={"fields": {"reason": str(error)}})

"""Settings: what they are, where they come from, and how a wrong one is told.

Every command loads the same: a TOML file, the environment over it, the command line's options over both.
"""

from gateway.settings.declared import DeclaredModel, DeclaredRoute, DeclaredTarget
from gateway.settings.load import load_settings
from gateway.settings.model import EgressSettings, Settings
from gateway.settings.problems import Origin, Origins, SettingsError, locate, nearest, suggest
from gateway.settings.sections import Section, validate_section
from gateway.settings.switches import Switches, SwitchesChanged, SwitchFile, apply_switches, managed_by

__all__ = (
    "DeclaredModel",
    "DeclaredRoute",
    "DeclaredTarget",
    "EgressSettings",
    "Origin",
    "Origins",
    "Section",
    "Settings",
    "SettingsError",
    "SwitchFile",
    "Switches",
    "SwitchesChanged",
    "apply_switches",
    "load_settings",
    "locate",
    "managed_by",
    "nearest",
    "suggest",
    "validate_section",
)

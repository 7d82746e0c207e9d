"""What is known of the plugins after loading: the active ones, and why the others are not."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from types import MappingProxyType
from typing import Self

import msgspec
import pluggy
from pydantic import BaseModel

from gateway import hookspecs
from gateway.settings import Settings


class State(StrEnum):
    """Whether a plugin takes part."""

    ACTIVE = "active"
    DISABLED = "disabled"
    FAILED = "failed"


class PluginEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One plugin that is installed or was named, loaded or not."""

    name: str
    """Short name: of the entry point, the section of the settings and the environment variables."""
    distribution: str = ""
    """Who ships it; empty for a single file."""
    version: str = ""
    origin: str = ""
    """Its module, or the path of its file."""
    api: str = ""
    """The range of `gateway.API_VERSION` its distribution declares; empty = any."""
    state: State = State.DISABLED
    reason: str = ""
    """Why it is not active, one sentence."""
    hooks: tuple[str, ...] = ()
    needed: bool = True
    """Whether the server refuses to start without it; see `gateway.runtime.kinds`."""
    settings: BaseModel | None = None
    """Its section as an instance of its `Settings` class."""

    @property
    def failed(self) -> bool:
        """Whether it was to take part and cannot."""
        return self.state is State.FAILED

    @property
    def title(self) -> str:
        """How errors name it: with its distribution."""
        return f"plugin '{self.name}' ({self.distribution or self.origin})"


class PluginLoadError(Exception):
    """Plugins cannot take part; the message names each, its distribution, and what it did."""

    def __init__(self, message: str, failed: Mapping[str, str] = MappingProxyType({})) -> None:
        super().__init__(message)
        self.failed = failed
        """The reason of every plugin that failed, by name, where that is known."""


class PluginSettingsError(PluginLoadError):
    """What is written in the settings for plugins is wrong."""


class Plugins:
    """The loaded plugins and the hooks they implement."""

    def __init__(
        self,
        manager: pluggy.PluginManager,
        entries: Sequence[PluginEntry],
        settings: Settings,
        *,
        problems: Sequence[str] = (),
        wrong_settings: Sequence[str] = (),
        warnings: Sequence[str] = (),
    ) -> None:
        self.manager = manager
        self.settings = settings
        """The gateway's own."""
        self.entries = tuple(entries)
        """The gateway's own first, then by name, then files: the order of registration."""
        self.warnings = tuple(warnings)
        self.wrong_settings = tuple(wrong_settings)
        """The problems that are wrong settings: what is written for plugins, and for their order."""
        self._problems = tuple(problems)

    @property
    def active(self) -> tuple[PluginEntry, ...]:
        """The plugins that take part."""
        return tuple(entry for entry in self.entries if entry.state is State.ACTIVE)

    def entry(self, name: str) -> PluginEntry:
        """The active plugin of that name."""
        return next(entry for entry in self.active if entry.name == name)

    def told(self, failed: Mapping[str, str]) -> Self:
        """The same plugins, of which those in `failed` turned out not to work."""
        entries = [
            msgspec.structs.replace(entry, state=State.FAILED, reason=failed[entry.name])
            if entry.state is State.ACTIVE and entry.name in failed
            else entry
            for entry in self.entries
        ]
        return type(self)(
            self.manager,
            entries,
            self.settings,
            problems=self._problems,
            wrong_settings=self.wrong_settings,
            warnings=self.warnings,
        )

    def problems(self) -> tuple[str, ...]:
        """Why the server must not start, one sentence each: what was asked for cannot be had."""
        return (*self.wrong_settings, *self._problems)

    def refusal(self, problems: Sequence[str]) -> PluginLoadError:
        """The error that says why the server does not start; wrong settings, if there are any, make it their own."""
        failed = {entry.name: entry.reason for entry in self.entries if entry.reason and entry.needed}
        return (PluginSettingsError if self.wrong_settings else PluginLoadError)("\n".join(problems), failed)


def new_manager() -> pluggy.PluginManager:
    """A plugin manager that knows the hooks."""
    manager = pluggy.PluginManager(hookspecs.PROJECT)
    manager.add_hookspecs(hookspecs)
    return manager


def hook_names(manager: pluggy.PluginManager) -> tuple[str, ...]:
    """Every hook of the contract, in its order."""
    # Of what the manager knows already: to ask it about each name of the module costs a start 60 ms.
    known = vars(manager.hook)
    return tuple(name for name in vars(hookspecs) if name in known and known[name].has_spec())

"""Which plugin is tested, and what it declares for it: `CONFORMANCE` in its module or in `<package>.conformance`."""

import importlib
import importlib.util
import tempfile
from collections.abc import Mapping
from functools import cached_property
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from gateway.protocols import Gateway
from gateway.runtime import Generation, PluginEntry, PluginLoadError, Plugins, State, assemble, load_plugins
from gateway.runtime.discovery import GROUP, discover
from gateway.runtime.loader import import_plugin
from gateway.settings import Settings
from gateway.testing.canned import Canned

_IMPORT_SECONDS = 20.0


class Declaration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a plugin says of itself so that it can be tested; all of it is optional."""

    capabilities: frozenset[str] | None = None
    """What it can do beyond the least; None = all that is known of its kind."""
    settings: dict[str, Any] = {}
    """Its section of the settings in the checks."""
    answers: dict[str, Canned] = {}
    """A provider's: how its upstream answers, by the names in `gateway.testing.canned.CHAT`; none = as those do."""
    dialect: str = "chat"
    """A provider's: the dialect of ours whose golden answers stand in for `answers`: `chat` or `messages`."""
    alike: frozenset[str] = frozenset()
    """Kinds of which it registers many objects that differ in data alone: one of each is checked for all."""
    model: str = ""
    """A lookup's: a name that everybody finds."""
    private: tuple[str, str] = ("", "")
    """A lookup's: a name that only one owner finds, and the owner."""
    token: str = ""
    """An authenticator's: a credential that is known."""
    room: int = 0
    """A limiter's: how many exchanges of one caller it takes at one time."""


class NotLoaded(AssertionError):
    """The plugin cannot be loaded; the message is the loader's."""


class Subject:
    """A plugin under test with its settings."""

    def __init__(self, name: str, *, file: Path | None = None, section: Mapping[str, Any] | None = None) -> None:
        self.name = name
        self.file = file
        self._section = dict(section or {})

    @property
    def section(self) -> dict[str, Any]:
        """Its section of the settings in the checks: as it declares, and over it what the test says."""
        return {**self.declaration.settings, **self._section}

    @cached_property
    def plugins(self) -> Plugins:
        """The plugin, loaded as the gateway does; raises `NotLoaded` with the loader's reason."""
        plugins = self.load(**self.section)
        for entry in plugins.entries:
            if entry.state is not State.ACTIVE:
                raise NotLoaded(f"it cannot be loaded: {entry.reason}")
        if not plugins.entries:
            raise NotLoaded(f"no plugin called '{self.name}' is installed")
        return plugins

    def load(self, **section: Any) -> Plugins:
        """The plugin with that section, whatever becomes of it."""
        files = (self.file,) if self.file else ()
        with tempfile.TemporaryDirectory() as folder:
            settings = Settings(
                data_dir=Path(folder), plugins={self.name: {**section, "enabled": True}}, plugin_files=files
            )
            return load_plugins(settings, only=self.name)

    @property
    def entry(self) -> PluginEntry:
        """What the loader says of it."""
        return self.plugins.entries[0]

    @property
    def settings(self) -> Any:
        """Its section as an instance of its class."""
        return self.entry.settings

    @cached_property
    def module(self) -> ModuleType:
        """Its module."""
        module = self.plugins.manager.get_plugin(self.name)
        assert isinstance(module, ModuleType)
        return module

    @property
    def places(self) -> tuple[Path, ...]:
        """Where its code is: a file, or a package's folder."""
        file = Path(self.module.__file__ or "")
        return (file.parent if file.name == "__init__.py" else file,)

    def generation(self, gateway: Gateway) -> Generation:
        """All that its hooks register."""
        return assemble(self.plugins, lambda entry: gateway, 1)

    @cached_property
    def declaration(self) -> Declaration:
        """What it declares for the checks; raises `NotLoaded` when that cannot be understood."""
        declared = self._declared()
        if isinstance(declared, Declaration):
            return declared
        try:
            return msgspec.convert(declared, Declaration)
        except msgspec.ValidationError as error:
            raise NotLoaded(f"its CONFORMANCE cannot be understood: {error}") from error

    def _declared(self) -> Any:
        files = (self.file,) if self.file else ()
        candidates = [one for one in discover(files) if one.name == self.name and one.is_file == bool(self.file)]
        try:
            module = import_plugin(candidates[0], _IMPORT_SECONDS)
        except PluginLoadError:
            return {}  # loading it will say the same
        declared = getattr(module, "CONFORMANCE", None)
        if declared is None and hasattr(module, "__path__"):
            name = f"{module.__name__}.conformance"
            if importlib.util.find_spec(name) is not None:
                declared = getattr(importlib.import_module(name), "CONFORMANCE", None)
        return {} if declared is None else declared


def subject_of(plugin: ModuleType | str, section: Mapping[str, Any]) -> Subject:
    """The plugin that a module, a short name or a path stands for; raises `NotLoaded` when there is none."""
    if isinstance(plugin, ModuleType):
        for point in entry_points(group=GROUP):
            if point.value == plugin.__name__:
                return Subject(point.name, section=section)
        file = Path(plugin.__file__ or "")
        if file.name != "__init__.py":
            return Subject(file.stem, file=file, section=section)
        raise NotLoaded(f"the package '{plugin.__name__}' is no installed plugin: pip install -e it first")
    if plugin.endswith(".py"):
        file = Path(plugin)
        if not file.is_file():
            raise NotLoaded(f"there is no file {plugin}")
        return Subject(file.stem, file=file, section=section)
    if plugin not in {point.name for point in entry_points(group=GROUP)}:
        raise NotLoaded(f"no plugin called '{plugin}' is installed")
    return Subject(plugin, section=section)

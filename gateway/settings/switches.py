"""What the operator switched while the gateway ran: a file in the data directory that every start and worker reads.

It says of installed plugins whether they are on, and nothing else: never what code there is or where it lies. What the
settings file or the environment says about a plugin wins over it.
"""

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from gateway.settings.model import Settings
from gateway.settings.problems import Origin, SettingsError

FILE = "plugins.json"
_KEPT = 20
"""Sets of switches that `rolled_back` can go back to."""
_STALE_SECONDS = 10.0
"""A lock older than this is a crashed process's: it is held for one read and one write."""


class SwitchesChanged(Exception):
    """Somebody else changed the switches meanwhile."""


class Switches(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which plugins the operator switched, as of one revision; every change makes the next."""

    revision: int = 1
    enabled: dict[str, bool] = {}
    history: tuple[dict[str, bool], ...] = ()
    """What was switched before, oldest first."""

    def switched(self, name: str, on: bool | None) -> "Switches":
        """With this plugin on or off; None = as the settings have it."""
        enabled = {known: value for known, value in self.enabled.items() if known != name}
        if on is not None:
            enabled[name] = on
        return Switches(self.revision + 1, enabled, (*self.history, self.enabled)[-_KEPT:])

    def rolled_back(self) -> "Switches | None":
        """As before the last change; None when there is nothing to go back to."""
        if not self.history:
            return None
        return Switches(self.revision + 1, self.history[-1], self.history[:-1])

    def repeated(self) -> "Switches":
        """The same switches as a new revision: whoever follows assembles anew."""
        return msgspec.structs.replace(self, revision=self.revision + 1)


class SwitchFile:
    """The switches of one data directory."""

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / FILE
        self._seen: tuple[tuple[int, int, int], Switches] | None = None

    def read(self) -> Switches:
        """The switches as they are now; raises `SettingsError` when the file cannot be used."""
        try:
            found = self.path.stat()
            mark = (found.st_mtime_ns, found.st_size, found.st_ino)
            if self._seen is None or self._seen[0] != mark:
                self._seen = (mark, msgspec.json.decode(self.path.read_bytes(), type=Switches))
        except (FileNotFoundError, NotADirectoryError):
            return Switches()
        except OSError as error:
            raise SettingsError([f"{self.path}: cannot be read: {error.strerror}"]) from error
        except ValueError as error:  # of msgspec too
            raise SettingsError([f"{self.path}: is damaged; remove it to forget what was switched"]) from error
        return self._seen[1]

    def write(self, switches: Switches, *, after: int) -> None:
        """Replace the switches of revision `after`, whole or not at all.

        Raises `SwitchesChanged` when they are newer by now.
        """
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._locked():
            if self.read().revision != after:
                raise SwitchesChanged("Somebody else switched plugins at the same time. Try again.")
            replace_file(self.path, msgspec.json.encode(switches))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = self.path.with_suffix(".lock")
        try:
            try:
                if time.time() - lock.stat().st_mtime > _STALE_SECONDS:
                    lock.unlink(missing_ok=True)
            except FileNotFoundError:
                pass
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        except FileExistsError as error:
            raise SwitchesChanged("Somebody else switches plugins at this moment. Try again.") from error
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)


def replace_file(path: Path, content: bytes) -> None:
    """Write a file only its owner can read, on disk before it gets its name."""
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).replace(path)


def switch_origin(name: str) -> Origin:
    """Where `enabled` of a plugin comes from when the operator switched it."""
    return Origin(f"`gateway plugins`: plugins.{name}.enabled")


def apply_switches(settings: Settings, switches: Switches) -> Settings:
    """The settings with these switches instead of those they hold; what a file or a variable says stays."""
    origins = dict(settings.origins)
    plugins: dict[str, Mapping[str, Any]] = dict(settings.plugins)
    for name, table in settings.plugins.items():
        if origins.get(_path(name)) == switch_origin(name):
            del origins[_path(name)]
            plugins[name] = {key: value for key, value in table.items() if key != "enabled"}
            if not plugins[name] and ("plugins", name) not in origins:
                del plugins[name]
    for name, on in switches.enabled.items():
        if "enabled" not in plugins.get(name, {}):
            plugins[name] = {**plugins.get(name, {}), "enabled": on}
            origins[_path(name)] = switch_origin(name)
    return settings.model_copy(
        update={"plugins": plugins, "origins": MappingProxyType(origins), "revision": switches.revision}
    )


def managed_by(settings: Settings, name: str) -> Origin | None:
    """The file's key or the variable that says whether this plugin is on; None when the operator may switch it."""
    if "enabled" not in settings.plugins.get(name, {}):
        return None
    origin = settings.origins.get(_path(name), Origin("the settings the gateway was started with"))
    return None if origin == switch_origin(name) else origin


def _path(name: str) -> tuple[str, str, str]:
    return ("plugins", name, "enabled")

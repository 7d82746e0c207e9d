"""Find plugins without importing any: entry points from metadata, and single files that were named."""

import importlib.util
import re
import sys
from collections.abc import Callable, Iterable
from importlib.metadata import Distribution, EntryPoint, entry_points
from pathlib import Path
from typing import Any

import msgspec

from gateway.runtime import apirange
from gateway.runtime.kinds import Declared, declared

GROUP = "litestar_gateway.plugins"
OURS = "litestar-gateway"
_NAME = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


class Candidate(msgspec.Struct, frozen=True, kw_only=True):
    """A plugin that could be loaded."""

    name: str
    distribution: str = ""
    version: str = ""
    origin: str = ""
    api: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    """Its distribution's requirements."""
    declared: Declared = Declared()
    """What its distribution's keywords say of it."""
    load: Callable[[], Any]
    """Import it; whatever its code raises comes through."""

    @property
    def ours(self) -> bool:
        """Whether it ships with the gateway: on by default, the only kind in safe mode."""
        return self.distribution == OURS

    @property
    def is_file(self) -> bool:
        """Whether it is a single file; naming one enables it."""
        return not self.distribution

    @property
    def misnamed(self) -> str:
        """Why its name cannot be a section of the settings and part of a variable's name; empty when it can."""
        if _NAME.fullmatch(self.name):
            return ""
        return f"'{self.name}' cannot be a plugin's name: write lower-case letters, digits and single underscores"


def discover(files: Iterable[Path] = ()) -> list[Candidate]:
    """Every candidate in the order of registration: ours, others by name, files as they were named."""
    installed = [_installed(point) for point in entry_points(group=GROUP)]
    installed.sort(key=lambda found: (not found.ours, found.name, found.distribution))
    return installed + [_file(path) for path in dict.fromkeys(files)]


def normalised(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _installed(point: EntryPoint) -> Candidate:
    distribution = point.dist
    keywords = _keywords(distribution)
    return Candidate(
        name=point.name,
        distribution=normalised(distribution.name) if distribution else "unknown",
        version=distribution.version if distribution else "",
        origin=point.value,
        api=apirange.declared(keywords),
        requires=tuple(distribution.requires or ()) if distribution else (),
        declared=declared(keywords),
        load=point.load,
    )


def _keywords(distribution: Distribution | None) -> list[str]:
    # Core metadata joins keywords with commas, setuptools once did with spaces.
    text = distribution.metadata["Keywords"] if distribution and "Keywords" in distribution.metadata else ""
    return re.split(r"[,\s]+", text)


def _file(path: Path) -> Candidate:
    return Candidate(name=path.stem, origin=str(path), load=lambda: _load_file(path))


def _load_file(path: Path) -> Any:
    name = f"litestar_gateway_file_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # as the import system does: classes look their module up there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module

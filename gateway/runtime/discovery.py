"""Find plugins without importing any: entry points from metadata, and single files that were named."""

import importlib.util
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from importlib.machinery import SourceFileLoader
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
        fitting = "lower-case letters, digits and single underscores, a letter first"
        return f"'{self.name}' cannot be a plugin's name: write {fitting}"


def discover(files: Iterable[Path] = ()) -> list[Candidate]:
    """Every candidate in the order of registration: ours, others by name, files as they were named."""
    installed = list(_installed(entry_points(group=GROUP)))
    installed.sort(key=lambda found: (not found.ours, found.name, found.distribution))
    return installed + [_file(path) for path in dict.fromkeys(files)]


def normalised(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _installed(points: Iterable[EntryPoint]) -> Iterator[Candidate]:
    told: dict[int, Candidate] = {}
    for point in points:
        # One reading for all plugins of a distribution: each parses its whole metadata, README and all.
        said = told.get(id(point.dist)) or told.setdefault(id(point.dist), _of(point.dist, point.load))
        yield msgspec.structs.replace(said, name=point.name, origin=point.value, load=point.load)


def _of(distribution: Distribution | None, load: Callable[[], Any]) -> Candidate:
    """What all plugins of a distribution have in common."""
    if distribution is None:
        return Candidate(name="", distribution="unknown", load=load)
    metadata = distribution.metadata
    # Core metadata joins keywords with commas, setuptools once did with spaces.
    keywords = re.split(r"[,\s]+", ",".join(metadata.get_all("Keywords") or ()))
    return Candidate(
        name="",
        distribution=normalised(metadata["Name"]),
        version=metadata["Version"],
        api=apirange.declared(keywords),
        requires=tuple(distribution.requires or ()),
        declared=declared(keywords),
        load=load,
    )


def _file(path: Path) -> Candidate:
    return Candidate(name=path.stem, origin=str(path), load=lambda: _load_file(path))


class _Fresh(SourceFileLoader):
    """Compiles the file each time: by bytecode an edit of the same length within a second would not be seen."""

    def path_stats(self, path: str) -> Any:
        raise OSError  # as the protocol says it: nothing is known that bytecode could be compared with


def _load_file(path: Path) -> Any:
    name = f"litestar_gateway_file_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    if isinstance(spec.loader, SourceFileLoader):
        spec.loader = _Fresh(name, str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # as the import system does: classes look their module up there
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module

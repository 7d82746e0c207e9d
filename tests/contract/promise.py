"""Compare what plugins rely on with the newest release: `make check` ends when something they use went away.

Looked at are the names of `gateway.__all__`, those of `gateway.errors`, `gateway.events` and the conformance kit, and
the hooks. griffe finds what breaks a caller; what breaks an implementer - one more method or argument - is found here.
`docs/decisions/0007-what-plugins-are-promised.md` says what may change and how.
"""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import griffe

ROOT = Path(__file__).parents[2]
OPEN = ("errors", "events", "testing.conformance")
HOOKS = "hookspecs"
IMPLEMENTED = (
    "Authenticator",
    "ClientDialect",
    "ErrorMapper",
    "Limiter",
    "ModelLookup",
    "Provider",
    "ProviderClient",
    "RequestTransform",
    "RoutingStrategy",
    "StreamObserver",
    "StreamTransform",
    "UpstreamDialect",
    "UsageSink",
)
"""Protocols that plugins write: the gateway calls them, so whatever is added to one breaks what is there."""

_VERSIONS = ("API_VERSION", "__version__")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_TAG = re.compile(r"v([0-9]+)\.([0-9]+)\.([0-9]+)")


class Release(NamedTuple):
    """A tag `v1.2.3` and the package as it was then."""

    tag: str
    package: griffe.Object


def releases(repository: Path) -> list[str]:
    """The release tags before this commit, newest first."""
    listed = subprocess.run(
        ["git", "tag", "--list", "v*", "--merged", "HEAD"], cwd=repository, capture_output=True, text=True, check=True
    )
    tags = [match for match in map(_TAG.fullmatch, listed.stdout.split()) if match]
    tags.sort(key=lambda match: tuple(map(int, match.groups())), reverse=True)
    return [match[0] for match in tags]


def minors(tags: Sequence[str]) -> list[str]:
    """The newest tag of each minor release, newest first."""
    newest: dict[str, str] = {}
    for tag in tags:
        newest.setdefault(tag.rpartition(".")[0], tag)
    return list(newest.values())


def broken(repository: Path) -> list[str]:
    """One sentence for everything the newest release had that plugins can no longer rely on; none without a release."""
    tags = releases(repository)
    if not tags:
        return []
    # Without `try_relative_path` the name would be looked for in the current directory first.
    new = griffe.load("gateway", search_paths=[repository], resolve_aliases=True, try_relative_path=False)
    # The newest one, and the last of the minor release before: an argument goes after two that warned.
    old, *before = [
        Release(tag, griffe.load_git("gateway", ref=tag, repo=repository, resolve_aliases=True))
        for tag in dict.fromkeys([tags[0], *minors(tags)[1:2]])
    ]
    if _major(new) > _major(old.package):
        return []
    return [*_names(old.package, new), *_additions(old.package, new), *_hooks(old, before, new)]


def _major(package: griffe.Object) -> int:
    return int(str(package["API_VERSION"].value).strip("'\"").partition(".")[0])


def _names(old: griffe.Object, new: griffe.Object) -> Iterator[str]:
    """What breaks those who import and call."""
    for path in _promised(old):
        before, after = _found(old, path), _found(new, path)
        if before is None:
            continue
        if after is None or after.kind is not before.kind:
            yield f"gateway.{path}: it is gone" if after is None else f"gateway.{path}: it was a {before.kind.value}"
        elif before.is_class:
            for breakage in griffe.find_breaking_changes(before, after):
                yield _COLOUR.sub("", breakage.explain())


def _promised(package: griffe.Object) -> list[str]:
    """The names that plugins may use, as paths below the package."""
    door = [str(name) for name in package.exports or () if name not in _VERSIONS]
    return door + [f"{path}.{name}" for path in OPEN for name in _public(package, path)]


def _public(package: griffe.Object, path: str) -> list[str]:
    room = _found(package, path)
    if room is None:
        return []
    if room.exports is not None:
        return [str(name) for name in room.exports]
    return [name for name, member in room.members.items() if not member.is_alias and not name.startswith("_")]


def _found(package: griffe.Object, path: str) -> griffe.Object | None:
    try:
        found = package[path]
        return found.final_target if found.is_alias else found
    except (KeyError, griffe.AliasResolutionError):
        return None


def _additions(old: griffe.Object, new: griffe.Object) -> Iterator[str]:
    """What breaks those who implement a protocol or make a struct."""
    for name in map(str, old.exports or ()):
        before, after = _found(old, name), _found(new, name)
        if before is None or after is None or not before.is_class or not after.is_class:
            continue
        added = {key: member for key, member in after.members.items() if key not in before.members}
        if name in IMPLEMENTED:
            yield from (f"{after.canonical_path}: plugins' objects have no '{key}'" for key in added)
            yield from _longer(before, after)
        elif any("Struct" in str(base) for base in after.bases):
            fields = (key for key, member in added.items() if member.is_attribute and member.value is None)
            yield from (f"{after.canonical_path}: the new field '{key}' needs a default" for key in fields)


def _longer(before: griffe.Object, after: griffe.Object) -> Iterator[str]:
    for key, method in after.members.items():
        if method.is_function and key in before.members:
            known = {parameter.name for parameter in before[key].parameters}
            for parameter in method.parameters:
                if parameter.name not in known:
                    yield f"{after.canonical_path}.{key}: plugins' methods do not take '{parameter.name}'"


def _hooks(old: Release, before: Sequence[Release], new: griffe.Object) -> Iterator[str]:
    """Hooks and arguments that went away without two releases that warned."""
    for name, hook in old.package[HOOKS].functions.items():
        after = new[HOOKS].functions.get(name)
        if after is None:
            yield f"{hook.canonical_path}: the hook is gone"
            continue
        gone = {parameter.name for parameter in hook.parameters} - {parameter.name for parameter in after.parameters}
        for argument in sorted(gone):
            if not (before and all(_warned(release, name, argument) for release in (old, *before))):
                yield f"{hook.canonical_path}: the argument '{argument}' is gone"


def _warned(release: Release, hook: str, argument: str) -> bool:
    found = release.package[HOOKS].functions.get(hook)
    marks = "".join(str(decorator.value) for decorator in found.decorators) if found else ""
    return "warn_on_impl_args" in marks and bool(re.search(rf"['\"]{argument}['\"]", marks))


def main() -> int:
    """Tell, and answer with the exit code."""
    tags = releases(ROOT)
    if not tags:
        print("Plugin contract: there is no release (tag v*) to compare with yet.")
        return 0
    found = broken(ROOT)
    for sentence in found:
        print(f"Plugin contract, against {tags[0]}: {sentence}")
    if not found:
        print(f"Plugin contract: nothing that {tags[0]} promised is gone.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

"""The line that installs what a plugin needs and does not find."""

import re
from importlib.metadata import PackageNotFoundError, distribution

from gateway.runtime.discovery import Candidate, normalised

_REQUIREMENT = re.compile(r"""([A-Za-z0-9._-]+)[^;]*(?:;.*\bextra\s*==\s*["']([^"']+)["'])?""")


def missing_module(candidate: Candidate, error: ModuleNotFoundError) -> str:
    """The sentence about a module that is not installed, with what to do."""
    module = error.name or ""
    top = module.partition(".")[0]
    if not top or top == re.split("[.:]", candidate.origin)[0]:
        return f"its module is not there: {error}; what 'pip install -e' adds, only processes see that start after it"
    return f"it needs the module '{module}', which is not installed: pip install '{_install(candidate, top)}'"


def _install(candidate: Candidate, module: str) -> str:
    """What to install: the requirement of the module's name, else one that is missing, else the module's name."""
    wanted = {name: extra for name, extra in map(_parsed, candidate.requires) if name == normalised(module)}
    absent = {name: extra for name, extra in map(_parsed, candidate.requires) if not extra and not _installed(name)}
    for name, extra in (wanted or absent).items():
        return f"{candidate.distribution}[{extra}]" if extra else name
    return module


def _parsed(requirement: str) -> tuple[str, str]:
    """Name and extra of a requirement."""
    match = _REQUIREMENT.match(requirement)
    return (normalised(match.group(1)), match.group(2) or "") if match else ("", "")


def _installed(name: str) -> bool:
    try:
        distribution(name)
    except (PackageNotFoundError, ValueError):
        return False
    return True

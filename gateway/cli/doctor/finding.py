"""What the doctor tells: one line for each thing it looked at."""

import shlex
from enum import StrEnum
from pathlib import Path

import msgspec


class State(StrEnum):
    """How something was found."""

    OK = "ok"
    WARNING = "warning"
    FAILED = "failed"


class Finding(msgspec.Struct, frozen=True):
    """One thing that was looked at."""

    check: str
    state: State
    finding: str
    fix: str = ""
    """The command that repairs it, to be pasted into the shell the gateway is started from; empty where none does."""


def ok(check: str, finding: str) -> Finding:
    """Nothing is wrong with it."""
    return Finding(check, State.OK, finding)


def warning(check: str, finding: str, fix: str = "") -> Finding:
    """The gateway serves, perhaps not as somebody believes."""
    return Finding(check, State.WARNING, finding, fix)


def failed(check: str, finding: str, fix: str = "") -> Finding:
    """The gateway does not start, or not everything it is to do works."""
    return Finding(check, State.FAILED, finding, fix)


def command(*words: str | Path) -> str:
    """The words as one shell command."""
    return shlex.join(map(str, words))


def aside(*files: Path) -> str:
    """The command that renames these files, so that nothing is lost."""
    return " && ".join(command("mv", file, file.with_name(f"{file.name}.broken")) for file in files)

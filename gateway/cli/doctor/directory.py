"""The data directory: whether it is there or can be made, and is the gateway's alone.

Whoever mistyped it may have named a directory or file of somebody else's: no repair moves or changes what does not look
like ours, another place is proposed. `os.path` is asked and not `Path`, which raises below what may not be searched.
"""

import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gateway.cli.doctor.finding import Finding, command, failed, ok
from gateway.settings import Settings
from gateway.settings.model import default_data_dir

_CHECK = "data directory"
_PRIVATE = ("admin-key", "demo-key", "gateway.db", "gateway.db-wal", "gateway.db-shm", "registry.kept")
_OURS = {*_PRIVATE, "keyring", "plugins.json"}


def data_directory(settings: Settings) -> Iterator[Finding]:
    """Whether the gateway, and only it, may write there."""
    directory = settings.data_dir
    if os.path.isdir(directory):
        yield _looked_at(directory)
    elif os.path.exists(directory):
        yield failed(_CHECK, f"{directory} is a file.", _elsewhere(directory))
    elif (error := _refusal(directory)) is None:
        yield ok(_CHECK, f"{directory} is made at the first start")
    else:
        nearest = next(parent for parent in directory.parents if os.path.exists(parent))
        told = f"{directory} cannot be made: {error.strerror}."
        by_root = command("sudo", "install", "-d", "-m", "700", "-o", str(os.geteuid()), directory)
        lacks_right = os.path.isdir(nearest) and isinstance(error, PermissionError)
        yield failed(_CHECK, told, by_root if lacks_right else _elsewhere(directory))


def _looked_at(directory: Path) -> Finding:
    found = directory.stat()
    if (error := _refusal(directory)) is not None:
        told, fix = f"{directory} cannot be written by this user: {error.strerror}.", _elsewhere(directory)
        if isinstance(error, PermissionError) and found.st_uid == os.geteuid():
            fix = command("chmod", "u+rwx", directory)
        elif isinstance(error, PermissionError) and _is_ours(directory):
            fix = command("sudo", "chown", "-R", str(os.geteuid()), directory)
        return failed(_CHECK, told, fix)
    if found.st_mode & 0o022:
        told = f"{directory} can be written by other users, who could replace what is in it."
        fix_mode = command("chmod", "go-w", directory)
        return failed(_CHECK, told, fix_mode if _is_ours(directory) else _elsewhere(directory))
    if open_files := [file for name in _PRIVATE if _is_open(file := directory / name)]:
        told = f"Other users can read {', '.join(map(str, open_files))}."
        return failed(_CHECK, told, command("chmod", "600", *open_files))
    return ok(_CHECK, str(directory))


def _refusal(directory: Path) -> OSError | None:
    """What keeps a file from being made there, tried in earnest: rights alone tell nothing of `/proc` or a full disk.

    Nothing is left behind, neither the file nor the directories that were missing.
    """
    made = []
    try:
        for missing in reversed([one for one in (directory, *directory.parents) if not os.path.exists(one)]):
            missing.mkdir(mode=0o700)
            made.append(missing)
        with tempfile.TemporaryFile(dir=directory):
            list(directory.iterdir())
    except OSError as error:
        return error
    finally:
        for one in reversed(made):
            try:
                one.rmdir()
            except OSError:  # somebody has put something there meanwhile
                break
    return None


def _is_ours(directory: Path) -> bool:
    """Whether the gateway has been there, or nobody."""
    try:
        names = {file.name for file in directory.iterdir()}
    except OSError:
        return False
    return not names or bool(names & _OURS)


def _elsewhere(directory: Path) -> str:
    """The command that names another place which can be used; empty when there is none."""
    beside = next(parent for parent in directory.parents if os.path.isdir(parent)) / "litestar-gateway"
    for place in (default_data_dir(), beside, Path("/var/lib/litestar-gateway")):
        if place != directory and _refusal(place) is None:
            return command("export", f"GATEWAY_DATA_DIR={place}")
    return ""


def _is_open(file: Path) -> bool:
    return file.is_file() and bool(stat.S_IMODE(file.stat().st_mode) & 0o077)

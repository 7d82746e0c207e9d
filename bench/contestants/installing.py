"""Installs contestants where nothing else is touched: each in a folder of its own under build/bench."""

import shutil
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.target import Unavailable
from bench.tools import BUILD

HERE = Path(__file__).parent
_LIMIT = 900.0


def is_installed(name: str) -> bool:
    """Whether the contestant was installed before."""
    return (BUILD / "peers" / name / "installed").exists()


def venv_with(name: str, *packages: str) -> Path:
    """The `bin` of a virtual environment that has these packages."""
    folder = BUILD / "peers" / name
    if not is_installed(name):
        shutil.rmtree(folder, ignore_errors=True)
        _run([sys.executable, "-m", "venv", str(folder)])
        _run([str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "install", "-q", *packages])
        (folder / "installed").touch()
    return folder / "bin"


def npm_with(name: str, package: str) -> Path:
    """The `node_modules` of a folder that has this package."""
    if shutil.which("npm") is None:
        raise Unavailable("npm is not there: apt-get install npm")
    folder = BUILD / "peers" / name
    if not is_installed(name):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _run(["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), package])
        (folder / "installed").touch()
    return folder / "node_modules"


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def answers(port: int) -> str | None:
    """Whether somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return None
    return "yes"


def filled(template: str, into: Path, **values: object) -> Path:
    """A file from a template beside this module: `@name@` becomes the value."""
    text = (HERE / template).read_text("utf-8")
    for name, value in values.items():
        text = text.replace(f"@{name}@", str(value))
    into.parent.mkdir(parents=True, exist_ok=True)
    into.write_text(text, "utf-8")
    return into


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{command[0]}: {error}") from error
    if done.returncode:
        told = " ".join((done.stderr or done.stdout).split())[-300:]
        raise Unavailable(f"it could not be installed: {told}")

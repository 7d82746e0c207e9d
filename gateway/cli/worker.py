"""A serving process that `gateway serve` starts, and how it gets the settings."""

import json
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.app import Application, create
from gateway.runtime import PluginLoadError, Plugins
from gateway.server import STARTUP_FAILURE, run
from gateway.settings import Settings, SettingsError
from gateway.testing.watch import LoopWatch


def serve_worker(listener: socket.socket, *, watched: bool = False) -> None:
    """Serve in a process started for it; the settings are in the environment (see `environment`).

    With `watched` a plugin that holds up the event loop is told in the log.
    """
    try:
        application = create()
    except (PluginLoadError, SettingsError) as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(STARTUP_FAILURE)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    run(_Watched(application) if watched else application, listener)


class _Watched:
    """An application whose log names the line of a plugin that holds up the event loop, and with it everybody."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self.drain = application.drain
        self.reload = application.reload

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await self._application(scope, receive, send)
            return
        with LoopWatch(_places(self._application.plugins), self._tell):
            await self._application(scope, receive, send)

    def _tell(self, place: str) -> None:
        self._application.log.warning("plugin_blocks_the_loop", where=place)


def _places(plugins: Plugins) -> Iterator[Path]:
    """Where the plugins' code is: single files, modules and the folders of packages."""
    for entry in plugins.active:
        module = sys.modules.get(entry.origin)
        file = Path((module.__file__ if module is not None else None) or entry.origin)
        yield file.parent if file.name == "__init__.py" else file


def _end_with_parent() -> None:
    """A parent that was killed cannot tell its workers; they would hold the port."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def reloaded(sockets: list[socket.socket] | None) -> None:
    """`serve_worker` as uvicorn's reloader calls it: always with the one socket. Plugins are watched."""
    for listener in sockets or ():
        serve_worker(listener, watched=True)


def environment(settings: Settings, config: Path | None) -> dict[str, str]:
    """The variables by which a started process gets the settings that options of the command line changed."""
    values: dict[str, Any] = {
        "GATEWAY_HOST": settings.host,
        "GATEWAY_PORT": settings.port,
        "GATEWAY_DATA_DIR": settings.data_dir,
        "GATEWAY_SAFE_MODE": str(settings.safe_mode).lower(),
        "GATEWAY_PLUGIN_FILES": json.dumps([str(file) for file in settings.plugin_files]),
        "GATEWAY_EGRESS__ALLOW": json.dumps(list(settings.egress.allow)),
    }
    if config is not None:
        values["GATEWAY_CONFIG"] = config.absolute()
    return {name: str(value) for name, value in values.items()}

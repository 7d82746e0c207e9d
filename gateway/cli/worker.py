"""A serving process that `gateway serve` starts, and how it gets the settings."""

import gc
import json
import multiprocessing
import os
import signal
import socket
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from gateway.settings import Settings


def serve_worker(listener: socket.socket, pipe: "Connection | None" = None) -> None:
    """Serve in a process started for it; the settings are in the environment (see `environment`).

    One of several has a pipe to its supervisor.
    """
    gc.disable()  # until the server listens (`gateway.server.running`): what a start makes stays
    from gateway.app import create
    from gateway.runtime import PluginLoadError
    from gateway.server import STARTUP_FAILURE, Link, run
    from gateway.settings import SettingsError

    try:
        application = create()
    except (PluginLoadError, SettingsError) as error:
        sys.stderr.write(f"Error: {error}\n")
        sys.exit(STARTUP_FAILURE)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    run(application, listener, None if pipe is None else Link(pipe))


def _end_with_parent() -> None:
    """A parent that was killed cannot tell its workers; they would hold the port."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def reloaded(sockets: list[socket.socket] | None) -> None:
    """`serve_worker` as uvicorn's reloader calls it: always with the one socket."""
    for listener in sockets or ():
        serve_worker(listener)


def environment(settings: "Settings", config: Path | None) -> dict[str, str]:
    """The variables by which a started process gets the settings that options of the command line changed."""
    values: dict[str, Any] = {
        "GATEWAY_HOST": settings.host,
        "GATEWAY_PORT": settings.port,
        "GATEWAY_DATA_DIR": settings.data_dir,
        "GATEWAY_WATCHDOG_SECONDS": settings.watchdog_seconds,
        "GATEWAY_SAFE_MODE": str(settings.safe_mode).lower(),
        "GATEWAY_PLUGIN_FILES": json.dumps([str(file) for file in settings.plugin_files]),
        "GATEWAY_EGRESS__ALLOW": json.dumps(list(settings.egress.allow)),
    }
    if config is not None:
        values["GATEWAY_CONFIG"] = config.absolute()
    return {name: str(value) for name, value in values.items()}

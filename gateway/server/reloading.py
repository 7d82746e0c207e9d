"""Development: the serving process starts anew when source changes."""

import socket
from collections.abc import Callable, Iterable
from pathlib import Path

import uvicorn
from uvicorn.supervisors import ChangeReload


def run_reloading(
    work: Callable[[list[socket.socket] | None], None], listener: socket.socket, folders: Iterable[Path]
) -> None:
    """Serve until SIGTERM or SIGINT; `work` runs in a process of its own and must be importable by name."""
    config = uvicorn.Config(
        "gateway.app:create",
        factory=True,
        reload=True,
        reload_dirs=[str(folder) for folder in folders],
        log_config=None,
        access_log=False,
    )
    ChangeReload(config, target=work, sockets=[listener]).run()

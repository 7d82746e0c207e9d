"""A plugin in a single file that lets a test look inside: usage records in a file, tasks and memory by HTTP.

It also answers for two names, so that no test asks a real name server: `nowhere.test` does not exist, and
`hang.test` is never answered.
"""

import asyncio
import gc
import os
import socket
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from litestar import get
from pydantic import BaseModel, ConfigDict

from gateway import Gateway, hookimpl
from gateway.domain import UsageRecord
from gateway.protocols import UsageSink
from gateway.runtime import Generation

_real_getaddrinfo = getattr(socket.getaddrinfo, "real", socket.getaddrinfo)
"""Never that of an earlier import: each would hold the one before, and with its module a whole generation."""


class Settings(BaseModel):
    """The table `[plugins.probe]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    records: Path


class FileSink:
    """Appends every record to a file, one JSON object a line."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def write(self, records: Sequence[UsageRecord]) -> None:
        with self._path.open("ab") as file:
            file.write(b"".join(msgspec.json.encode(record) + b"\n" for record in records))


def _getaddrinfo(host: Any, *arguments: Any, **named: Any) -> Any:
    if host == b"nowhere.test":
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    if host == b"hang.test":
        threading.Event().wait()
    return _real_getaddrinfo(host, *arguments, **named)


@get("/probe", opt={"public": True})
async def probe() -> dict[str, int]:
    """What the process holds."""
    files = _open_files()
    database = sum(name.startswith("gateway.db") for name in files)
    tasks = len(asyncio.all_tasks())
    return {"tasks": tasks, "descriptors": len(files), "of the database": database, "rss": _memory()}


@get("/probe/heap", opt={"public": True}, sync_to_thread=False)
def heap() -> dict[str, int]:
    """What is left of the heap after a full collection: blocks that Python has given out, and sets of plugins.

    The first generation is among neither's movements: the server freezes what is there at its start.
    """
    gc.collect()
    generations = sum(isinstance(one, Generation) for one in gc.get_objects())
    return {"blocks": sys.getallocatedblocks(), "generations": generations}


def _open_files() -> list[str]:
    names = []
    for descriptor in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):  # that of the listing itself
            names.append(Path(os.readlink(f"/proc/self/fd/{descriptor}")).name)
    return names


def _memory() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


@hookimpl
def register_usage_sinks(gateway: Gateway) -> list[UsageSink]:
    return [FileSink(gateway.settings.records)]


@hookimpl
def on_app_init(app_config: Any) -> None:
    _getaddrinfo.real = _real_getaddrinfo
    socket.getaddrinfo = _getaddrinfo
    app_config.route_handlers += [probe, heap]

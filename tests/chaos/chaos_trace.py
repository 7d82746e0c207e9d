"""A plugin in a single file: writes down which exchange has which tag, and tells what its worker holds."""

import asyncio
import os
import time
from pathlib import Path
from typing import Any

import msgspec
from litestar import get
from pydantic import BaseModel, ConfigDict

from gateway import Exchange, Gateway, hookimpl
from gateway.protocols import RequestTransform
from gateway.requests import ChatRequest


class Settings(BaseModel):
    """The table `[plugins.chaos_trace]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: Path


class Trace:
    """Writes one line for each exchange, before its first attempt; a killed process loses none."""

    def __init__(self, file: Path) -> None:
        self._file = file

    async def transform(self, request: ChatRequest, exchange: Exchange) -> ChatRequest:
        tag = exchange.header("x-chaos")
        line = {"tag": tag, "exchange": exchange.id, "worker": os.getpid(), "at": time.monotonic()}
        file = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        try:
            os.write(file, msgspec.json.encode(line) + b"\n")
        finally:
            os.close(file)
        return request


@get("/chaos", opt={"public": True})
async def chaos() -> dict[str, int]:
    """Which process this is, and how many tasks it has."""
    return {"worker": os.getpid(), "tasks": len(asyncio.all_tasks())}


@hookimpl
def register_request_transforms(gateway: Gateway) -> list[RequestTransform]:
    return [Trace(gateway.settings.file)]


@hookimpl
def on_app_init(app_config: Any) -> None:
    app_config.route_handlers.append(chaos)

"""Any ASGI application behind our protocol, on a real socket."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn

from gateway.server import HttpProtocol, bind

Application = Callable[[Any, Any, Any], Awaitable[None]]


@asynccontextmanager
async def served(
    application: Application, http: type[HttpProtocol] = HttpProtocol, **options: Any
) -> AsyncIterator[int]:
    """Serve it; the port."""
    config = uvicorn.Config(
        application, http=http, ws="none", lifespan="off", log_config=None, access_log=False, **options
    )
    server = uvicorn.Server(config)
    listener = bind("127.0.0.1", 0)
    task = asyncio.create_task(server._serve([listener]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        await task

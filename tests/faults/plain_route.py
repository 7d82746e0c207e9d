"""What the gateway is compared with: the openai SDK behind a Litestar handler, as one writes it in an afternoon.

It is no straw man: one client for each upstream, timeouts, the SDK's retries, the provider's status handed on, errors
in OpenAI's envelope, the right media type. `python plain_route.py MODELS.json` serves on a free port.
"""

import json
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import openai
import uvicorn
from litestar import Litestar, Request, Response, post
from litestar.response import Stream

TIMEOUT = openai.Timeout(4.0, connect=2.0)


def application(models: dict[str, dict[str, Any]]) -> Litestar:
    """`models` holds the arguments of `AsyncOpenAI` for each name."""
    pool = openai.DefaultAsyncHttpxClient(timeout=TIMEOUT)
    clients = {name: openai.AsyncOpenAI(http_client=pool, **given) for name, given in models.items()}

    @post("/v1/chat/completions", status_code=200)
    async def chat(data: dict[str, Any]) -> Stream:
        client = clients[data["model"]]
        chunks = await client.chat.completions.create(**{**data, "model": "m", "stream": True})

        async def events() -> AsyncIterator[str]:
            async for chunk in chunks:
                yield f"data: {chunk.model_dump_json()}\n\n"
            yield "data: [DONE]\n\n"

        return Stream(events(), media_type="text/event-stream")

    return Litestar([chat], exception_handlers={openai.APIStatusError: refused, Exception: failed})


def refused(_: Request[Any, Any, Any], error: openai.APIStatusError) -> Response[Any]:
    """What the provider said, with its status."""
    return _envelope(error.status_code, str(error), str(error.code))


def failed(_: Request[Any, Any, Any], error: Exception) -> Response[Any]:
    """The provider cannot be reached, or something is wrong here."""
    timed_out = isinstance(error, openai.APITimeoutError)
    status = 504 if timed_out else 502 if isinstance(error, openai.APIError) else 500
    return _envelope(status, str(error), type(error).__name__)


def _envelope(status: int, message: str, code: str) -> Response[Any]:
    error = {"message": message, "type": "upstream_error", "param": None, "code": code}
    return Response({"error": error}, status_code=status)


def main() -> None:
    """Serve, and say where."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    print(f"Listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    app = application(json.loads(Path(sys.argv[1]).read_bytes()))
    uvicorn.Server(uvicorn.Config(app, log_level="info", access_log=False, ws="none")).run(sockets=[listener])


if __name__ == "__main__":
    main()

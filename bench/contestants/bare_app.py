"""A forwarder without features: Litestar's `@asgi`, our egress, nothing in between. The ceiling of this stack."""

import asyncio
import socket
import sys

import uvicorn
from litestar import Litestar, asgi
from litestar.types import Receive, Scope, Send

from gateway.egress import EgressClient, EgressPolicy
from gateway.errors import GatewayError
from gateway.pipeline.outlet import Outlet


class Forward:
    """Takes the upstream's body and writes it on."""

    def __init__(self, outlet: Outlet) -> None:
        self._outlet = outlet
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def move(self, data: bytes) -> None:
        """One read, one write."""
        self._outlet.write(data)

    def end(self, error: GatewayError | None) -> None:
        """A cut upstream would have to cut the client; here it is enough that the run is not counted."""
        self._outlet.finish()
        if not self.over.done():
            self.over.set_result(None)


def application(base_url: str) -> Litestar:
    """Everything that is posted goes to the upstream."""
    egress = EgressClient(EgressPolicy(allow=("127.0.0.1",)))

    @asgi("/v1/chat/completions", copy_scope=False)
    async def forward(scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")  # type: ignore[operator]
            more = bool(message.get("more_body"))
        headers = (("content-type", "application/json"), ("authorization", "Bearer sk-bench"))
        answer = await egress.send("POST", f"{base_url}/chat/completions", headers=headers, body=body)
        outlet = Outlet(scope, send)  # type: ignore[arg-type]
        kept = ("content-type", "content-length")
        outlet.start(answer.status, tuple(pair for pair in answer.headers if pair[0] in kept))
        moved = Forward(outlet)
        try:
            answer.start(moved)
            await moved.over
            await outlet.drained()
        finally:
            answer.close()

    return Litestar([forward], openapi_config=None)


def main() -> None:
    """`python -m bench.contestants.bare_app BASE_URL`."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=4096)
    print(f"Listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    config = uvicorn.Config(application(sys.argv[1]), log_level="error", access_log=False, ws="none")
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()

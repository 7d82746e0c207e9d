"""Wrong: it opens sockets of its own, past the guard."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

from gateway import Attempt, ChatRequest, EventUpstream, Gateway, Model, Provider, UpstreamUnreachable, hookimpl
from gateway.events import Event, Finish, Text


class Client:
    async def open(self, request: ChatRequest, attempt: Attempt) -> EventUpstream:
        url = urlsplit(attempt.model.base_url)
        try:
            reader, writer = await asyncio.open_connection(url.hostname, url.port)
        except OSError as error:
            raise UpstreamUnreachable("Connection error.") from error
        writer.write(f"POST {url.path}/chat HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        return EventUpstream(_events())

    async def aclose(self) -> None:
        pass


async def _events() -> AsyncIterator[Event]:
    yield Text(text="Hello there, world.")
    yield Finish(reason="stop")


class Around:
    name = "wrong"

    def connect(self, model: Model) -> Client:
        return Client()


@hookimpl
def register_providers(gateway: Gateway) -> list[Provider]:
    return [Around()]

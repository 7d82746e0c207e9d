"""Wrong: it takes a broken connection for the end of the answer."""

from collections.abc import AsyncIterator

import httpx2
import msgspec

from gateway import (
    Attempt,
    ChatRequest,
    EventUpstream,
    Gateway,
    Model,
    Provider,
    UpstreamError,
    UpstreamUnreachable,
    hookimpl,
)
from gateway.events import End, Event, Finish, Text

CONFORMANCE = {"capabilities": []}


class Client:
    def __init__(self, gateway: Gateway, model: Model) -> None:
        transport = gateway.egress.httpx2_transport(tenant=model.tenant, timeouts=model.timeouts)
        self._http = httpx2.AsyncClient(transport=transport, timeout=None)

    async def open(self, request: ChatRequest, attempt: Attempt) -> EventUpstream:
        asked = self._http.build_request("POST", f"{attempt.model.base_url}/chat/completions", content=b"{}")
        try:
            response = await self._http.send(asked, stream=True)
        except httpx2.TransportError as error:
            raise UpstreamUnreachable("Connection error.") from error
        if response.is_success:
            return EventUpstream(_events(response))
        body = await response.aread()
        await response.aclose()
        raise UpstreamError(response.status_code, body)

    async def aclose(self) -> None:
        await self._http.aclose()


def _read(line: str) -> list[Event]:
    if not line.startswith("data: {"):
        return [End()] if line == "data: [DONE]" else []
    said = msgspec.json.decode(line[6:])
    if "error" in said:
        raise UpstreamError(502, line.encode())
    events: list[Event] = []
    for choice in said["choices"]:
        if text := choice["delta"].get("content"):
            events.append(Text(text=text))
        if choice["finish_reason"]:
            events.append(Finish(reason="stop"))
    return events


async def _events(response: httpx2.Response) -> AsyncIterator[Event]:
    try:
        async for line in response.aiter_lines():
            for event in _read(line):
                yield event
    except httpx2.TransportError:
        pass
    finally:
        await response.aclose()
    yield Finish(reason="stop")
    yield End()


class Optimistic:
    name = "wrong"

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def connect(self, model: Model) -> Client:
        return Client(self._gateway, model)


@hookimpl
def register_providers(gateway: Gateway) -> list[Provider]:
    return [Optimistic(gateway)]

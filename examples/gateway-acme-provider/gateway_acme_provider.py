"""A provider for an API that is nothing like OpenAI's: a prompt goes in, lines of JSON come out.

Acme's API: `POST <base_url>/say` with `{"prompt": "..."}` and the key in `x-acme-key` answers lines such as
`{"word": "Hello"}` and, last, `{"over": true}`. A model of it is made with `gateway models add ... --provider acme`.

Keys, retries, timeouts, accounting and clients that leave are the gateway's business: a provider only asks and reads.
"""

from collections.abc import AsyncIterator
from typing import Any

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


class AcmeClient:
    """Asks Acme with one credential."""

    def __init__(self, gateway: Gateway, model: Model) -> None:
        transport = gateway.egress.httpx2_transport(tenant=model.tenant, timeouts=model.timeouts)
        self._http = httpx2.AsyncClient(transport=transport, timeout=None)

    async def open(self, request: ChatRequest, attempt: Attempt) -> EventUpstream:
        """Send the prompt; Acme's answer as events."""
        model = attempt.model
        asked = self._http.build_request(
            "POST",
            f"{model.base_url}/say",
            json={"prompt": _prompt(request)},
            headers={"x-acme-key": model.api_key.reveal()},
        )
        try:
            response = await self._http.send(asked, stream=True)
        except httpx2.TransportError as error:
            raise UpstreamUnreachable("Connection error.") from error
        if response.is_success:
            return EventUpstream(_events(response))
        try:
            body = await response.aread()
            raise UpstreamError(response.status_code, body, response.headers.multi_items())
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        """Close the HTTP client."""
        await self._http.aclose()


class AcmeProvider:
    """Makes clients."""

    name = "acme"

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def connect(self, model: Model) -> AcmeClient:
        """A client for this model's base URL and credential."""
        return AcmeClient(self._gateway, model)


async def _events(response: httpx2.Response) -> AsyncIterator[Event]:
    try:
        async for line in response.aiter_lines():
            said = msgspec.json.decode(line)
            if said.get("over"):
                yield Finish(reason="stop")
                yield End()
            else:
                yield Text(text=said["word"])
    except httpx2.TransportError as error:
        raise UpstreamUnreachable("Connection error.") from error
    finally:
        await response.aclose()


def _prompt(request: ChatRequest) -> str:
    messages: list[dict[str, Any]] = msgspec.json.decode(request.fields["messages"])
    return "\n".join(str(message["content"]) for message in messages)


@hookimpl
def register_providers(gateway: Gateway) -> list[Provider]:
    return [AcmeProvider(gateway)]

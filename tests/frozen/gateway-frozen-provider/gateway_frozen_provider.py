"""A provider of lines of JSON, and a sink that writes a file. Of contract 1.0; never to be edited."""

import json
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
from pydantic import BaseModel, ConfigDict

from gateway import (
    Attempt,
    ChatRequest,
    EventUpstream,
    Gateway,
    Model,
    Provider,
    ProviderClient,
    UpstreamError,
    UpstreamUnreachable,
    UsageRecord,
    UsageSink,
    hookimpl,
)
from gateway.events import End, Event, Finish, Text, Usage


class Settings(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    usage_file: Path


class Client:
    def __init__(self, gateway: Gateway, model: Model) -> None:
        transport = gateway.egress.httpx2_transport(tenant=model.tenant, timeouts=model.timeouts)
        self._http = httpx2.AsyncClient(transport=transport, timeout=None)

    async def open(self, request: ChatRequest, attempt: Attempt) -> EventUpstream:
        body = {"model": attempt.model.model_id, "messages": json.loads(bytes(request.fields["messages"]))}
        headers = {"authorization": f"Bearer {attempt.model.api_key.reveal()}"}
        asked = self._http.build_request("POST", f"{attempt.model.base_url}/say", json=body, headers=headers)
        try:
            response = await self._http.send(asked, stream=True)
        except httpx2.TransportError as error:
            raise UpstreamUnreachable("Connection error.") from error
        if response.is_success:
            return EventUpstream(self._events(response))
        try:
            raise UpstreamError(response.status_code, await response.aread(), response.headers.multi_items())
        finally:
            await response.aclose()

    async def _events(self, response: httpx2.Response) -> AsyncIterator[Event]:
        try:
            async for line in response.aiter_lines():
                said = json.loads(line)
                if "word" in said:
                    yield Text(text=said["word"])
                else:
                    yield Usage(input=said["in"], output=said["out"])
                    yield Finish(reason="stop")
                    yield End()
        except httpx2.TransportError as error:
            raise UpstreamUnreachable("Connection error.") from error
        finally:
            await response.aclose()

    async def aclose(self) -> None:
        await self._http.aclose()


class FrozenProvider:
    name = "frozen"

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def connect(self, model: Model) -> ProviderClient:
        return Client(self._gateway, model)


class FileSink:
    def __init__(self, file: Path) -> None:
        self._file = file

    async def write(self, records: Sequence[UsageRecord]) -> None:
        with self._file.open("a") as file:
            for record in records:
                kept = (record.principal_id, record.outcome, record.input_tokens, record.output_tokens)
                file.write(f"{json.dumps(kept)}\n")


@hookimpl
def register_providers(gateway: Gateway) -> Iterable[Provider]:
    yield FrozenProvider(gateway)


@hookimpl
def register_usage_sinks(gateway: Gateway) -> Iterable[UsageSink]:
    return (FileSink(gateway.settings.usage_file),)


@hookimpl
@asynccontextmanager
async def lifespan(gateway: Gateway) -> AsyncIterator[None]:
    gateway.log.info("frozen_opened")
    yield
    gateway.log.info("frozen_closed")

"""The sdk lane: the same bytes, sent by the openai SDK's client. Imports the SDK: `library` loads it.

The SDK rewrites base URLs, refuses empty keys and adds what its environment variables say. It therefore sees neither
the destination nor the credential nor the prompt: it is given placeholders, and the transport under it sends what the
direct lane would send. What remains the SDK's is its client, its send loop and its exceptions.
"""

import itertools
from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import httpx2
import openai

from gateway import Attempt, ByteUpstream, ChatRequest, UpstreamDialect, UpstreamFault
from gateway.errors import InvalidUpstreamUrl
from gateway.protocols import ByteStream
from gateway.wire.responses import RESPONSES
from gateway_openai.collect import collect
from gateway_openai.destination import Destination
from gateway_openai.failures import PLACEHOLDER, response, transport_failure

_CALL: Final = "x-gateway-call"


class SdkClient:
    """Opens answers through an `AsyncOpenAI` of its own."""

    def __init__(self, destination: Destination) -> None:
        self._calls: dict[str, tuple[ChatRequest, Attempt]] = {}
        self._numbers = itertools.count()
        self._destination = destination
        transport = _Transport(destination, self._calls)
        self._client = _Client(
            api_key="unused",  # None would take OPENAI_API_KEY
            organization="",
            project="",
            base_url=PLACEHOLDER,
            max_retries=0,
            timeout=None,
            http_client=httpx2.AsyncClient(transport=transport, trust_env=False, follow_redirects=False),
        )

    async def open(self, request: ChatRequest, attempt: Attempt) -> ByteUpstream:
        """Send the request by the SDK; its exceptions pass as they are."""
        call, dialect = str(next(self._numbers)), self._destination.dialect(request, attempt.model)
        model = attempt.model.model_id.encode("utf-8", "replace").decode()
        self._calls[call] = (request, attempt)
        try:
            answer = await self._call(dialect, model, stream=request.stream, call=call).__aenter__()
        finally:
            del self._calls[call]
        # The context is not left: all it would close is this stream, and whoever takes the bytes closes that.
        return ByteUpstream(dialect, answer.http_response.extensions["egress"])

    def _call(self, dialect: UpstreamDialect, model: str, *, stream: bool, call: str) -> Any:
        headers = {_CALL: call}
        if dialect is RESPONSES:
            return self._client.responses.with_streaming_response.create(
                model=model, input="", stream=stream, extra_headers=headers
            )
        return self._client.chat.completions.with_streaming_response.create(
            model=model, messages=[], stream=stream, extra_headers=headers
        )

    async def aclose(self) -> None:
        """Close the SDK's client; answers already open go on, their connections belong to egress."""
        await self._client.close()


class _Client(openai.AsyncOpenAI):
    @property
    def default_headers(self) -> dict[str, str | openai.Omit]:
        """None at all: OPENAI_CUSTOM_HEADERS, OPENAI_ORG_ID and OPENAI_PROJECT_ID would come in here."""
        return {}


class _Transport(httpx2.AsyncBaseTransport):
    """Sends the call that the SDK's request stands for, through egress."""

    def __init__(self, destination: Destination, calls: Mapping[str, tuple[ChatRequest, Attempt]]) -> None:
        self._destination = destination
        self._calls = calls

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            body = await self._destination.send(*self._calls[request.headers[_CALL]])
        except InvalidUpstreamUrl:
            raise
        except UpstreamFault as error:
            raise transport_failure(error) from error
        if body.status >= 400:
            return response(body.status, body.headers, request=request, content=await collect(body))
        answer = response(body.status, body.headers, request=request, content=_Unread(body))
        answer.extensions["egress"] = body
        return answer


class _Unread(httpx2.AsyncByteStream):
    """The body of an answer whose bytes are taken past the SDK."""

    def __init__(self, body: ByteStream) -> None:
        self._body = body

    def __aiter__(self) -> AsyncIterator[bytes]:
        raise httpx2.StreamConsumed

    async def aclose(self) -> None:
        self._body.close()

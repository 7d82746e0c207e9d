"""The direct lane: the request's bytes through egress, the answer's bytes back."""

from gateway import Attempt, ByteUpstream, ChatRequest, UpstreamFault
from gateway.errors import InvalidUpstreamUrl
from gateway_openai.collect import collect
from gateway_openai.destination import Destination
from gateway_openai.library import Library


class DirectClient:
    """Opens answers without the SDK, and fails with the SDK's exceptions."""

    def __init__(self, destination: Destination, library: Library) -> None:
        self._destination = destination
        self._library = library

    async def open(self, request: ChatRequest, attempt: Attempt) -> ByteUpstream:
        """Send the request; an error answer or a failed connection is raised as the SDK would raise it."""
        try:
            body = await self._destination.send(request, attempt)
        except InvalidUpstreamUrl:
            raise
        except UpstreamFault as error:
            await self._library.load()
            from gateway_openai.failures import connection_failure

            raise connection_failure(error) from error
        if body.status < 400:
            return ByteUpstream(self._destination.dialect(request, attempt.model), body)
        content = await collect(body)
        await self._library.load()
        from gateway_openai.failures import status_failure

        raise status_failure(body.status, body.headers, content)

    async def aclose(self) -> None:
        """Nothing is held: connections belong to egress."""

"""A provider for an API that is nothing like OpenAI's: a prompt goes in, lines of JSON come out.

Acme's API: `POST <base_url>/say` with `{"prompt": "..."}` and the key in `x-acme-key` answers lines such as
`{"word": "Hello"}` and, last, `{"over": true}`. A model of it is made with `gateway models add ... --provider acme`.

Keys, retries, timeouts, accounting and clients that leave are the gateway's business: a provider only asks and reads.
"""

import json
from collections.abc import AsyncIterator

from gateway import ChatRequest, End, Event, EventProvider, Finish, Model, Provider, Text, UpstreamCall, hookimpl


class AcmeProvider(EventProvider):
    """Answers for models with `provider = "acme"`."""

    name = "acme"

    def headers(self, model: Model) -> tuple[tuple[str, str], ...]:
        """Acme wants its key in a header of its own."""
        return (("x-acme-key", model.api_key.reveal()),)

    async def stream(self, request: ChatRequest, attempt: UpstreamCall) -> AsyncIterator[Event]:
        """Acme's words as they come. Without `Finish` and `End` at its end the stream counts as cut."""
        async with attempt.post("/say", json={"prompt": _prompt(request)}) as response:
            async for line in response.lines():
                said = json.loads(line)
                if said.get("over"):
                    yield Finish(reason="stop")
                    yield End()
                else:
                    yield Text(said["word"])


def _prompt(request: ChatRequest) -> str:
    messages = json.loads(bytes(request.fields["messages"]))
    return "\n".join(str(message["content"]) for message in messages)


@hookimpl
def register_providers() -> list[Provider]:
    return [AcmeProvider()]


CONFORMANCE = {
    "capabilities": [],
    "answers": {
        "text": {
            "content_type": "application/x-ndjson",
            "writes": [b'{"word": "Hello"}\n', b'{"word": " there"}\n', b'{"over": true}\n'],
            "says": {"text": "Hello there"},
        }
    },
}
"""What `gateway plugins check` plays to the provider."""

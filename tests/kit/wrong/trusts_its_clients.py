"""Wrong: its request transform expects messages to be what they mostly are."""

import msgspec

from gateway import ChatRequest, Exchange, RequestTransform, hookimpl


class Polite:
    async def transform(self, request: ChatRequest, exchange: Exchange) -> ChatRequest:
        messages = msgspec.json.decode(request.fields["messages"])
        messages[-1]["content"] += " Please."
        return request.with_fields(messages=msgspec.Raw(msgspec.json.encode(messages)))


@hookimpl
def register_request_transforms() -> list[RequestTransform]:
    return [Polite()]

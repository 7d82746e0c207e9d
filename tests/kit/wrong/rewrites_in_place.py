"""Wrong: its request transform changes the request instead of making another."""

import msgspec

from gateway import ChatRequest, Exchange, RequestTransform, hookimpl


class Hasty:
    async def transform(self, request: ChatRequest, exchange: Exchange) -> ChatRequest:
        request.fields["temperature"] = msgspec.Raw(b"0")
        return request


@hookimpl
def register_request_transforms() -> list[RequestTransform]:
    return [Hasty()]

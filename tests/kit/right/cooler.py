"""Right: a request transform that sets a temperature where the client said none."""

import msgspec

from gateway import ChatRequest, Exchange, RequestTransform, hookimpl


class Cooler:
    async def transform(self, request: ChatRequest, exchange: Exchange) -> ChatRequest:
        if "temperature" in request.fields:
            return request
        return request.with_fields(temperature=msgspec.Raw(b"0.2"))


@hookimpl
def register_request_transforms() -> list[RequestTransform]:
    return [Cooler()]

"""Wrong: it changes the request it was given."""

import msgspec

from gateway import Attempt, ByteUpstream, ChatRequest, Gateway, Model, Provider, UpstreamError, hookimpl
from gateway.wire.chat import CHAT


class Client:
    def __init__(self, gateway: Gateway, model: Model) -> None:
        self._gateway = gateway

    async def _send(self, request: ChatRequest, model: Model):
        return await self._gateway.egress.send(
            "POST",
            f"{model.base_url}/chat/completions",
            headers=(("authorization", f"Bearer {model.api_key.reveal()}"),),
            body=CHAT.write_request(request, model),
            tenant=model.tenant,
            timeouts=model.timeouts,
        )

    async def open(self, request: ChatRequest, attempt: Attempt):
        request.fields["temperature"] = msgspec.Raw(b"0")
        answer = await self._send(request, attempt.model)
        if answer.status >= 400:
            raise UpstreamError(answer.status, await answer.read(1 << 20), answer.headers)
        return ByteUpstream(CHAT, answer)

    async def aclose(self) -> None:
        pass


class Changing:
    name = "wrong"

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def connect(self, model: Model) -> Client:
        return Client(self._gateway, model)


@hookimpl
def register_providers(gateway: Gateway) -> list[Provider]:
    return [Changing(gateway)]

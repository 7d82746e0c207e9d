"""Wrong: it tells its key in an error."""

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
        answer = await self._send(request, attempt.model)
        if answer.status >= 400:
            await answer.read(1 << 20)
            raise UpstreamError(answer.status, message=f"{attempt.model.api_key.reveal()} was refused")
        return ByteUpstream(CHAT, answer)

    async def aclose(self) -> None:
        pass


class Leaking:
    name = "wrong"

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def connect(self, model: Model) -> Client:
        return Client(self._gateway, model)


@hookimpl
def register_providers(gateway: Gateway) -> list[Provider]:
    return [Leaking(gateway)]

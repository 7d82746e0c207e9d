"""Clients of providers are closed, whatever one of them does at that."""

import asyncio

from gateway import ChatProvider
from gateway.testing.upstream import chat_events, stream


class Closes(ChatProvider):
    """Writes down which of its clients were closed; the first waits for what is cancelled."""

    name = "closes"

    def __init__(self) -> None:
        super().__init__()
        self.closed: list[str] = []

    def connect(self, model):
        return Client(super().connect(model), model.name, self.closed)


class Client:
    def __init__(self, client, name, closed) -> None:
        self._client, self._name, self._closed = client, name, closed

    async def open(self, request, attempt):
        return await self._client.open(request, attempt)

    async def aclose(self) -> None:
        await self._client.aclose()
        self._closed.append(self._name)
        if len(self._closed) == 1:
            waits_for = asyncio.get_running_loop().create_future()
            waits_for.cancel()
            await waits_for


async def test_a_cancellation_that_comes_up_from_one_client_keeps_no_other_from_being_closed(open_house):
    provider = Closes()
    async with open_house(providers=[provider]) as house:
        for name in ("a", "b"):
            house.model(name, stream(*chat_events("x"), pause=0), provider="closes")
            assert (await house.ask(name)).status == 200
        await house.pipeline.aclose()
        assert provider.closed == ["a", "b"]
        assert [event for event, _ in house.log.events if event == "client_close_failed"] == ["client_close_failed"]

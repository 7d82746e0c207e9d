"""Clients that ask again and again, and remember what they were told."""

import asyncio
import json
import time
from typing import NamedTuple

from restart_upstream import WORDS

from gateway.testing.client import RawClient, RawExchange, RawResponse


class Told(NamedTuple):
    """One answer as its client saw it."""

    exchange: str
    """Empty where no head came."""
    status: int | None
    whole: bool
    """Every word and the dialect's end came, and the message was ended."""
    visible: bool
    """Whole, or a client can see that it is not: the message was cut, or holds an error."""
    at: float
    detail: str


def told(response: RawResponse) -> Told:
    """What a client makes of a response."""
    body = response.body
    if response.complete and response.header("content-type") == "application/json" and response.status == 200:
        whole = response.json()["choices"][0]["message"]["content"] == "".join(WORDS)
        exchange = response.header("x-request-id") or ""
        return Told(exchange, 200, whole, whole, time.monotonic(), f"{body[-120:]!r}")
    payloads = [line[6:] for line in body.decode().split("\n\n") if line.startswith("data: ")]
    events = [json.loads(payload) for payload in payloads if payload != "[DONE]"] if response.complete else []
    text = "".join(choice["delta"].get("content", "") for event in events for choice in event.get("choices", ()))
    whole = response.complete and payloads[-1:] == ["[DONE]"] and text == "".join(WORDS)
    failed = response.status != 200 or any("error" in event for event in events)
    exchange = response.header("x-request-id") or ""
    detail = f"{response.status} {response.error} {body[-120:]!r}"
    return Told(exchange, response.status, whole, whole or failed or not response.complete, time.monotonic(), detail)


class Load:
    """Clients of one gateway; every other one keeps its connection as long as it can.

    So many of them as `whole` says ask for answers that are no streams.
    """

    def __init__(self, client: RawClient, key: str, clients: int, model: str = "tale", *, whole: int = 0) -> None:
        self._client = client
        self._headers = [("authorization", f"Bearer {key}")]
        self._model = model
        self._over = False
        self.told: list[Told] = []
        self._tasks = [
            asyncio.create_task(self._ask(keeps=bool(number % 2), streams=number >= whole)) for number in range(clients)
        ]

    def request(self, *, keeps: bool = False, streams: bool = True) -> bytes:
        """The bytes that a client sends."""
        asked = {"model": self._model, "stream": streams, "messages": [{"role": "user", "content": "hi"}]}
        body = json.dumps(asked).encode()
        return self._client.encoded("POST", "/v1/chat/completions", headers=self._headers, body=body, keep_alive=keeps)

    async def end(self) -> None:
        """Let every client have the answer it waits for, and ask no more."""
        self._over = True
        await asyncio.gather(*self._tasks)

    async def _ask(self, *, keeps: bool, streams: bool) -> None:
        exchange: RawExchange | None = None
        request = self.request(keeps=keeps, streams=streams)
        while not self._over:
            try:
                exchange = exchange.again(request) if exchange else await self._client.send_bytes(request)
                answer = await exchange.read()
            except ConnectionError as error:
                answer = RawResponse(error=str(error))
            self.told.append(told(answer))
            if exchange and not (keeps and answer.complete and answer.header("connection") != "close"):
                await exchange.leave()
                exchange = None
        if exchange:
            await exchange.leave()

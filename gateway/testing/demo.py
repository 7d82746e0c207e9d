"""The demo model: a small OpenAI-compatible server that answers anything, one word at a time."""

import re
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from gateway.testing.loopback import Connection, LoopbackServer, ReceivedRequest

MODEL = "demo"
_WORD = re.compile(r"\S+\s*|\s+")


class DemoUpstream(LoopbackServer):
    """Serves `GET /v1/models` and `POST /v1/chat/completions` on loopback while it is entered."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0, delay: float = 0.05) -> None:
        super().__init__(host, port)
        self._delay = delay
        self._answers = 0

    @property
    def base_url(self) -> str:
        """What a model's base URL is set to."""
        return f"{self.origin}/v1"

    async def answer(self, request: ReceivedRequest, connection: Connection) -> None:
        """Route one request."""
        path = request.target.partition("?")[0]
        if (request.method, path) == ("GET", "/v1/models"):
            models = [{"id": MODEL, "object": "model", "created": 0, "owned_by": "litestar-gateway"}]
            connection.reply(200, msgspec.json.encode({"object": "list", "data": models}))
        elif (request.method, path) == ("POST", "/v1/chat/completions"):
            await self._complete(request, connection)
        else:
            connection.reply(404, _error(f"Unknown request URL: {request.method} {path}"))
        await connection.writer.drain()

    async def _complete(self, request: ReceivedRequest, connection: Connection) -> None:
        try:
            body = request.json()
        except msgspec.DecodeError:
            body = None
        if not isinstance(body, dict) or not isinstance(body.get("messages"), list):
            connection.reply(400, _error("The body must be a JSON object with a list of messages."))
            return
        self._answers += 1
        text = _friendly(_last_user_text(body["messages"]))
        head = {"id": f"chatcmpl-demo-{self._answers}", "created": int(time.time()), "model": body.get("model", MODEL)}
        usage = _usage(body["messages"], text)
        if not body.get("stream"):
            choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
            completion = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
            connection.reply(200, msgspec.json.encode(completion))
            return
        options = body.get("stream_options")
        wants_usage = isinstance(options, dict) and bool(options.get("include_usage"))
        await self._stream(
            connection, {**head, "object": "chat.completion.chunk"}, text, usage if wants_usage else None
        )

    async def _stream(
        self, connection: Connection, head: Mapping[str, Any], text: str, usage: Mapping[str, int] | None
    ) -> None:
        connection.send_head(200, (("content-type", "text/event-stream"), ("transfer-encoding", "chunked")))
        connection.send_chunk(_event(head, {"role": "assistant", "content": ""}))
        for word in _WORD.findall(text):
            await connection.writer.drain()
            if not await connection.stays(self._delay):
                return
            connection.send_chunk(_event(head, {"content": word}))
        connection.send_chunk(_event(head, {}, "stop"))
        if usage is not None:
            connection.send_chunk(_data({**head, "choices": [], "usage": usage}))
        connection.send_chunk(b"data: [DONE]\n\n")
        connection.send_chunk(b"")


def _friendly(said: str) -> str:
    quote = said if len(said) <= 200 else f"{said[:200]}..."
    return f"Hello! You said: “{quote}” I am only a demo, but every word came over a real socket. \N{PARTY POPPER}"


def _last_user_text(messages: Sequence[Any]) -> str:
    for message in reversed(messages):
        if not isinstance(message, dict) or message.get("role") != "user":
            continue
        content = message.get("content")
        if isinstance(content, str):
            return content
        if isinstance(content, list):
            parts = (part.get("text") for part in content if isinstance(part, dict))
            return " ".join(part for part in parts if isinstance(part, str))
    return "(nothing)"


def _usage(messages: Sequence[Any], text: str) -> dict[str, int]:
    prompt, completion = len(msgspec.json.encode(messages)) // 4, len(text.split())
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def _event(head: Mapping[str, Any], delta: Mapping[str, str], finish: str | None = None) -> bytes:
    return _data({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})


def _data(value: Mapping[str, Any]) -> bytes:
    return b"data: " + msgspec.json.encode(value) + b"\n\n"


def _error(message: str) -> bytes:
    return msgspec.json.encode({"error": {"message": message, "type": "invalid_request_error", "code": None}})

"""The client half of the custom route: what Chatbot UI sends and what it reads."""

from math import ceil
from typing import TYPE_CHECKING, Final

import msgspec

from gateway import ChatRequest, ClientDialect, GatewayError, InvalidRequest
from gateway.errors import Headers
from gateway.wire.chat import CHAT_PROMPTS
from gateway.wire.ids import parse_uuid
from gateway.wire.javascript import parse, stringify, to_string
from gateway.wire.json import decode_object
from gateway.wire.unicode import well_formed
from gateway_chatbot_ui.wording import wording
from gateway_chatbot_ui.writer import TextWriter

_TRUE: Final = msgspec.Raw(b"true")


class ChatbotUi:
    """Requests as `{chatSettings, messages, customModelId}`, answers as plain text, failures as `{message}`."""

    name: str = "chatbot-ui"
    lenient: bool = True
    headers: Headers = (("content-type", "text/plain; charset=utf-8"), ("x-experimental-stream-data", "false"))

    def __init__(self, *, not_found: str) -> None:
        self._not_found = not_found

    def read_request(self, body: bytes) -> ChatRequest:
        """The request; raises `InvalidRequest` saying what is wrong and where."""
        given = decode_object(body)
        settings = _settings(given.get("chatSettings"))
        fields = {
            "model": settings.get("model"),
            "messages": given.get("messages"),
            "temperature": settings.get("temperature"),
            "stream": _TRUE,
        }
        model_id = _name(given.get("customModelId"))
        return ChatRequest(
            dialect="chat",
            model=model_id,
            malformed_id="" if parse_uuid(model_id) else f'invalid input syntax for type uuid: "{model_id}"',
            stream=True,
            fields={name: value for name, value in fields.items() if value is not None},
            keeps_model=True,
            verbatim=True,
            codec=CHAT_PROMPTS,
        )

    def writer(self, request: ChatRequest, upstream: str) -> TextWriter:
        """A fresh writer for an answer of the upstream dialect of that name; providers that speak events have none."""
        return TextWriter(upstream=upstream)

    def error(self, error: GatewayError) -> tuple[int, Headers, bytes]:
        """Status, headers and body of a failure before the stream."""
        status, message = wording(error, self._not_found)
        headers = [("content-type", "text/plain;charset=UTF-8")]
        if error.retry_after is not None:
            headers.append(("retry-after", str(max(0, ceil(error.retry_after)))))
        return status, headers, f'{{"message":{stringify(message)}}}'.encode()


def _settings(raw: msgspec.Raw | None) -> dict[str, msgspec.Raw]:
    if raw is None:
        raise InvalidRequest(
            "chatSettings is missing: send an object with model and temperature.", param="chatSettings"
        )
    if bytes(raw)[:1] != b"{":
        raise InvalidRequest("chatSettings must be an object with model and temperature.", param="chatSettings")
    return decode_object(bytes(raw))


def _name(raw: msgspec.Raw | None) -> str:
    return "undefined" if raw is None else well_formed(to_string(parse(bytes(raw).decode())))


if TYPE_CHECKING:
    _: ClientDialect = ChatbotUi(not_found="")

"""Turns of a prompt as the contents of a Gemini request."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from gateway.prompt import (
    MediaPart,
    Message,
    OpaquePart,
    Part,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from gateway.wire.json import decode_value
from gateway_gemini.media import write_media

_Json = dict[str, Any]
MAKER: Final = "gemini.generate"
"""The name of the dialect: whose signatures these models know."""
UNSIGNED: Final = "skip_thought_signature_validator"
"""What Google's documentation has for calls that another model made, where a signature is asked for."""


class TurnWriter:
    """Writes turns as contents; `lost` names what has no place there.

    `signs` says that calls need a signature, `sees` that what tools answer may hold images.
    """

    def __init__(self, messages: Sequence[Message], *, signs: bool, sees: bool) -> None:
        self._messages = messages
        self._signs, self._sees = signs, sees
        calls = (part for message in messages for part in message.parts if isinstance(part, ToolCallPart))
        self._names = {call.id: call.name for call in calls}
        """What was called, by id: a result has to name it."""
        self.lost: list[str] = []

    def contents(self) -> list[_Json]:
        """The conversation; results of tools that follow each other are one turn, as their calls were."""
        out: list[_Json] = []
        for message in self._messages:
            for said in self._contents(message):
                if not said["parts"]:
                    continue
                if out and _results(out[-1]) and _results(said):
                    out[-1]["parts"] += said["parts"]
                else:
                    out.append(said)
        return out

    def _contents(self, message: Message) -> Iterable[_Json]:
        if message.name is not None and message.role != "tool":
            self.lost.append("name")
        if message.role == "assistant":
            yield {"role": "model", "parts": self._answer(message.parts)}
            return
        results = [part for part in message.parts if isinstance(part, ToolResultPart)]
        yield {"role": "user", "parts": [said for part in results for said in self._result(part, message.name)]}
        rest = [said for part in message.parts if (said := self._said(part)) is not None]
        yield {"role": "user", "parts": rest}

    def _answer(self, parts: Sequence[Part]) -> list[_Json]:
        """What the model said. A proof goes with the text or the call behind it, else with the one before it."""
        out: list[_Json] = []
        proofs: list[str] = []
        for part in parts:
            if isinstance(part, ReasoningPart):
                if part.maker == MAKER and part.signature is not None:
                    proofs.append(part.signature)
                continue
            if (said := self._said(part)) is None:
                continue
            while len(proofs) > 1:
                out.append({"text": "", "thoughtSignature": proofs.pop(0)})
            if proofs and "thoughtSignature" not in said:
                said["thoughtSignature"] = proofs.pop()
            out.append(said)
        for proof in proofs:
            if out and "thoughtSignature" not in out[-1]:
                out[-1]["thoughtSignature"] = proof
            else:
                out.append({"text": "", "thoughtSignature": proof})
        first = next((said for said in out if "functionCall" in said), None)
        if self._signs and first is not None:
            first.setdefault("thoughtSignature", UNSIGNED)
        return out

    def _said(self, part: Part) -> _Json | None:
        if isinstance(part, TextPart):
            return {"text": part.text} if part.text else None
        if isinstance(part, ToolCallPart):
            return _call(part)
        if isinstance(part, MediaPart):
            said = write_media(part)
            if said is None:
                self.lost.append(part.kind)
            return said
        if isinstance(part, OpaquePart):
            self.lost.append("messages")
        return None

    def _result(self, part: ToolResultPart, name: str | None) -> Iterable[_Json]:
        """A tool's answer, and beside it the images in it where the model takes them no other way."""
        text = "\n".join(said.text for said in part.parts if isinstance(said, TextPart))
        media = [said for one in part.parts if isinstance(one, MediaPart) and (said := self._said(one)) is not None]
        response: _Json = {"name": self._names.get(part.id) or name or part.id}
        if part.id:
            response["id"] = part.id
        response["response"] = {"error": text} if part.is_error else _response(text)
        if media and self._sees and all("inlineData" in said for said in media):
            response["parts"] = media
            media = []
        yield {"functionResponse": response}
        yield from media


def _call(part: ToolCallPart) -> _Json:
    call: _Json = {"name": part.name, "args": _arguments(part.arguments)}
    if part.id:
        call["id"] = part.id
    said: _Json = {"functionCall": call}
    return {**said, "thoughtSignature": part.signature} if part.signature is not None else said


def _arguments(arguments: str) -> Any:
    """The arguments as an object; what is none stands in one."""
    value = _value(arguments) if arguments.strip() else {}
    return value if isinstance(value, dict) else {"arguments": value}


def _response(text: str) -> Any:
    """An object: the tool's own where it answered with one."""
    value = _value(text)
    return value if isinstance(value, dict) else {"result": value}


def _value(text: str) -> Any:
    try:
        return decode_value(text.encode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError):
        return text


def _results(content: _Json) -> bool:
    return any("functionResponse" in part for part in content["parts"])

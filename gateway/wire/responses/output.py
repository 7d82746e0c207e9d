"""The items of an answer's output while they are written."""

from collections.abc import Mapping
from typing import Any, Final

from gateway.events import Citation
from gateway.wire.responses.contents import Json, annotation, logprobs_of

_CONTENT: Final = frozenset(("content", "summary", "arguments", "input"))
_CALLS: Final = {"function_call": "arguments", "custom_tool_call": "input"}
_PREFIXES: Final = {"message": "msg", "reasoning": "rs", "function_call": "fc", "custom_tool_call": "ctc"}


class Content:
    """One content of an item: a text, a refusal, a part of a summary, the arguments of a call."""

    __slots__ = ("annotations", "kind", "length", "logprobs", "texts")

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.texts: list[str] = []
        self.length = 0
        self.annotations: list[Mapping[str, Any]] = []
        self.logprobs: list[Any] = []

    @property
    def text(self) -> str:
        """All of it so far."""
        return "".join(self.texts)

    def add(self, text: str, logprobs: Any = None) -> list[Any]:
        """Go on with a piece; its log probabilities, as responses have them."""
        self.texts.append(text)
        self.length += len(text)
        said = logprobs_of(logprobs) if logprobs is not None else []
        self.logprobs += said
        return said

    def cite(self, citation: Citation) -> Mapping[str, Any] | None:
        """The annotation; None where there is no place for it."""
        said = annotation(citation, self.length)
        if said is not None:
            self.annotations.append(said)
        return said

    def value(self) -> Json:
        """It as a whole."""
        if self.kind == "refusal":
            return {"type": "refusal", "refusal": self.text}
        said: Json = {"type": self.kind, "text": self.text}
        if self.kind == "output_text":
            said |= {"annotations": self.annotations, "logprobs": self.logprobs}
        return said


class Item:
    """One item: `given` is what an upstream of this dialect says of it besides its contents."""

    __slots__ = ("contents", "given", "id", "index", "kind", "maker", "proof", "status")

    def __init__(self, kind: str, index: int, suffix: str, given: Mapping[str, Any], **more: Any) -> None:
        self.kind, self.index = kind, index
        id = given.get("id")
        self.id = id if isinstance(id, str) and id else f"{_PREFIXES.get(kind, 'item')}_{suffix}{index:02x}"
        self.given: Json = {name: said for name, said in given.items() if name not in _CONTENT} | more
        self.contents: list[Content] = []
        self.proof: str | None = None
        self.maker: Any = None
        """The item that an upstream of this dialect began, or the part of another's thinking."""
        self.status = "in_progress"

    def value(self) -> Json:
        """It as far as it was said."""
        said: Json = {"id": self.id, "type": self.kind, **self.given, "status": self.status}
        if self.kind == "message":
            return {**said, "role": "assistant", "content": [content.value() for content in self.contents]}
        if self.kind in _CALLS:
            return {**said, _CALLS[self.kind]: "".join(content.text for content in self.contents)}
        if self.kind != "reasoning":
            return self.given
        del said["status"]
        said["summary"] = [content.value() for content in self.contents if content.kind == "summary_text"]
        if thoughts := [content.value() for content in self.contents if content.kind == "reasoning_text"]:
            said["content"] = thoughts
        if self.proof is not None:
            said["encrypted_content"] = self.proof
        return said

"""A library of answers an upstream gives, by name, each with what it says: the golden streams of the chat dialect."""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import msgspec

from gateway.events import Event, Finish, Reasoning, Refusal, Text, ToolCall, Usage
from gateway.testing.upstream import EVENT_STREAM, Behaviour, Ending, chat_events

_HEAD: Mapping[str, Any] = MappingProxyType(
    {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1700000000, "model": "m"}
)
_DONE = b"data: [DONE]\n\n"
_JSON = "application/json"


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer says, in the words all dialects share."""

    text: str = ""
    others: tuple[str, ...] = ()
    """The text of the second choice, the third, ..."""
    reasoning: str = ""
    refusal: str = ""
    tools: tuple[tuple[str, str], ...] = ()
    """Name and arguments of each tool call, in order."""
    tokens: tuple[int, int] | None = None
    """Input and output, as far as told."""
    finish: str = "stop"


class Canned(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An answer as the upstream writes it, and what it says."""

    writes: tuple[bytes, ...]
    """Each one TCP write; as few as there are pieces, so that buffering shows."""
    says: Said
    needs: str = ""
    """The capability without which a provider need not understand it."""
    content_type: str = EVENT_STREAM[0][1]
    choices: int = 1
    """How many answers have to be asked for."""

    def behaviour(
        self, *, writes: int | None = None, ending: Ending = Ending.COMPLETE, pause: float = 0.0, gated: bool = False
    ) -> Behaviour:
        """The answer, or its first `writes` writes, ready to be played."""
        return Behaviour(
            headers=(("content-type", self.content_type),),
            writes=self.writes[:writes],
            chunked=True,
            pause=pause,
            ending=ending,
            gated=gated,
        )


def said(events: Iterable[Event]) -> Said:
    """What these events say."""
    texts: dict[int, list[str]] = {}
    calls = _Calls()
    reasoning: list[str] = []
    refusal: list[str] = []
    finish = ""
    tokens = None
    for event in events:
        match event:
            case Text(text=text, choice=choice):
                texts.setdefault(choice, []).append(text)
            case Reasoning(text=text):
                reasoning.append(text)
            case Refusal(text=text):
                refusal.append(text)
            case ToolCall():
                calls.note(event)
            case Finish(reason=reason):
                finish = finish or reason
            case Usage(input=taken, output=given):
                tokens = (taken or 0, given or 0)
    return Said(
        text="".join(texts.get(0, ())),
        others=tuple("".join(texts[choice]) for choice in sorted(texts) if choice),
        reasoning="".join(reasoning),
        refusal="".join(refusal),
        tools=tuple((name, arguments) for name, arguments in calls.found.values()),
        tokens=tokens,
        finish=finish,
    )


class _Calls:
    """Puts fragments of tool calls together: by part, else by id, else by order."""

    def __init__(self) -> None:
        self.found: dict[Any, list[str]] = {}
        self._last: Any = None

    def note(self, event: ToolCall) -> None:
        if event.part is not None or event.id:
            self._last = (event.choice, event.id if event.part is None else event.part)
        elif event.name:
            self._last = (event.choice, len(self.found), "new")
        call = self.found.setdefault(self._last, ["", ""])
        call[0] += event.name or ""
        call[1] += event.arguments


def difference(expected: Said, got: Said) -> str:
    """What is wrong with what was got, in one sentence; empty when all that was expected came."""
    for name in Said.__struct_fields__:
        wanted, came = getattr(expected, name), getattr(got, name)
        if wanted != came and (wanted or name == "text"):
            return f"of the upstream's {name} {_short(wanted)} the client got {_short(came) if came else 'nothing'}"
    return ""


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 120 else f"{text[:80]}... ({len(text)} characters)"


def chunk(delta: Mapping[str, Any], finish: str | None = None, *, index: int = 0) -> bytes:
    """One event of a chat stream."""
    return data({**_HEAD, "choices": [{"index": index, "delta": delta, "finish_reason": finish}]})


def data(value: Any) -> bytes:
    """An event with that JSON."""
    return b"data: " + msgspec.json.encode(value) + b"\n\n"


def _call(index: int, arguments: str, name: str | None = None) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments} if name else {"arguments": arguments}
    head = {"id": f"call_{index}", "type": "function"} if name else {}
    return {"tool_calls": [{"index": index, **head, "function": function}]}


def _chat(*writes: bytes, needs: str = "", choices: int = 1, **says: Any) -> Canned:
    return Canned(writes=writes, says=Said(**says), needs=needs, choices=choices)


def _tools() -> Canned:
    pieces = ('{"ci', 'ty": "Tok', 'yo"}')
    return _chat(
        chunk({"role": "assistant", "content": None}),
        chunk(_call(0, "", "get_weather")),
        *(chunk(_call(0, piece)) for piece in pieces),
        chunk({}, "tool_calls"),
        _DONE,
        needs="tools",
        tools=(("get_weather", "".join(pieces)),),
        finish="tool_calls",
    )


def _parallel_tools() -> Canned:
    return _chat(
        chunk(_call(0, "", "get_weather")),
        chunk(_call(0, '{"city": "Rome"}')),
        chunk(_call(1, "", "get_time")),
        chunk(_call(1, '{"zone":')),
        chunk(_call(1, ' "CET"}')),
        chunk({}, "tool_calls"),
        _DONE,
        needs="tools",
        tools=(("get_weather", '{"city": "Rome"}'), ("get_time", '{"zone": "CET"}')),
        finish="tool_calls",
    )


def _usage(where: Mapping[str, Any]) -> bytes:
    counts = {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
    return data({**_HEAD, "choices": [], "usage": counts, **where})


def _split(whole: bytes, cut: bytes) -> tuple[bytes, ...]:
    """The bytes in two writes, parted inside `cut`."""
    at = whole.index(cut) + 1
    return whole[:at], whole[at:]


def _completion() -> Canned:
    message = {"role": "assistant", "content": "Hello there, world."}
    body = {
        **_HEAD,
        "object": "chat.completion",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
    }
    writes = (msgspec.json.encode(body),)
    return Canned(writes=writes, says=Said(text="Hello there, world."), needs="json_answer", content_type=_JSON)


def dripped(canned: Canned) -> Canned:
    """The same answer, one byte for each write."""
    whole = b"".join(canned.writes)
    return msgspec.structs.replace(canned, writes=tuple(bytes((byte,)) for byte in whole))


def _library() -> dict[str, Canned]:
    plain = chat_events("Hello", " there,", " world.")
    hello: dict[str, Any] = {"text": "Hello there, world."}
    accented = b"".join(chat_events("caf\N{LATIN SMALL LETTER E WITH ACUTE} \N{PARTY POPPER}!"))
    long = "x" * (900 * 1024)
    with_comments = [piece for event in plain for piece in (b": keep-alive\n\n", event)]
    choices = [chunk({"content": text}, index=index) for index, text in enumerate(("one", "two"))]
    ends = [chunk({}, "stop", index=index) for index in (0, 1)]
    return {
        "text": _chat(*plain, **hello),
        "role_only_first": _chat(chunk({"role": "assistant"}), *plain[1:], **hello),
        "usage_without_choices": _chat(*plain[:-1], _usage({}), _DONE, needs="usage", tokens=(11, 7), **hello),
        "tool_calls_split": _tools(),
        "parallel_tools": _parallel_tools(),
        "reasoning": _chat(
            *(chunk({"reasoning_content": text}) for text in ("Let me ", "think.")),
            *plain[1:],
            needs="reasoning",
            reasoning="Let me think.",
            **hello,
        ),
        "refusal": _chat(chunk({"refusal": "I can't."}), chunk({}, "stop"), _DONE, needs="refusal", refusal="I can't."),
        "several_choices": _chat(
            *choices, *ends, _DONE, needs="choices", choices=2, text="one", others=("two",), finish="stop"
        ),
        "comments": _chat(*with_comments, **hello),
        "crlf": _chat(*(event.replace(b"\n", b"\r\n") for event in plain), **hello),
        "split_utf8": _chat(*_split(accented, "\N{PARTY POPPER}".encode()), text="café \N{PARTY POPPER}!"),
        "long_line": _chat(*chat_events(long), text=long),
        "no_done": _chat(*plain[:-1], **hello),
        "json_for_a_stream": _completion(),
    }


CHAT: Mapping[str, Canned] = MappingProxyType(_library())
"""What OpenAI-compatible upstreams answer, by name."""

FAILURES: Mapping[str, Behaviour] = MappingProxyType(
    {
        "401": Behaviour(
            status=401,
            headers=(("content-type", _JSON),),
            writes=(b'{"error":{"message":"Incorrect API key provided.","type":"invalid_request_error"}}',),
        ),
        "429": Behaviour(
            status=429,
            headers=(("content-type", _JSON), ("retry-after", "7")),
            writes=(b'{"error":{"message":"Rate limit reached.","type":"rate_limit_error"}}',),
        ),
        "500": Behaviour(status=500, headers=(("content-type", _JSON),), writes=(b'{"error":{"message":"Oh no."}}',)),
        "502": Behaviour(
            status=502, headers=(("content-type", "text/html"),), writes=(b"<html><h1>Bad Gateway</h1></html>",)
        ),
    }
)
"""Error answers by status."""


def failing(canned: Canned, ending: Ending) -> Behaviour:
    """The first half of an answer, then that ending."""
    return canned.behaviour(writes=half(canned.writes), ending=ending)


def half(writes: Sequence[bytes]) -> int:
    """How many writes are surely not the whole answer."""
    return max(1, len(writes) // 2)

"""The prompt of a legacy completion, both ways: one text is one message of the user."""

from typing import Any, Final

import msgspec

from gateway.errors import InvalidRequest
from gateway.prompt import Message, Prompt, TextPart
from gateway.requests import Fields, PromptCodec, Written
from gateway.wire.json import decode_value, encode_value
from gateway.wire.reading import integer, nothing_else, number, texts

_READ: Final = frozenset(
    ("model", "stream", "stream_options", "prompt", "max_tokens", "temperature", "top_p", "stop", "n", "seed")
)
_PLAIN: Final = ("max_tokens", "temperature", "top_p", "stop", "n", "seed")


class LegacyPrompts:
    """The codec of `fields` that legacy completions are asked with."""

    __slots__ = ()

    def read(self, fields: Fields) -> Prompt:
        """The prompt that the fields say; raises `InvalidRequest` naming the field that cannot be read."""
        values = {name: decode_value(raw) for name, raw in fields.items()}
        return Prompt(
            messages=(Message(role="user", parts=(TextPart(text=_text(values.get("prompt"))),)),),
            max_tokens=integer(values.get("max_tokens"), "max_tokens"),
            temperature=number(values.get("temperature"), "temperature"),
            top_p=number(values.get("top_p"), "top_p"),
            stop=texts(values.get("stop"), "stop"),
            n=integer(values.get("n"), "n"),
            seed=integer(values.get("seed"), "seed"),
            extra=nothing_else({name: value for name, value in values.items() if value is not None}, _READ),
        )

    def write(self, prompt: Prompt, before: Prompt, fields: Fields) -> Written:
        """The fields that differ; all that is said becomes one text."""
        changes: dict[str, msgspec.Raw | None] = {}
        if (prompt.system, prompt.messages) != (before.system, before.messages):
            said = [part.text for part in prompt.system if isinstance(part, TextPart)]
            changes["prompt"] = encode_value("\n\n".join((*said, *(message.text for message in prompt.messages))))
        for name in _PLAIN:
            value = getattr(prompt, name)
            if value != getattr(before, name):
                changes[name] = None if value in (None, ()) else encode_value(value)
        changes |= {name: encode_value(v) for name, v in prompt.extra.items() if before.extra.get(name, ...) != v}
        changes |= dict.fromkeys(before.extra.keys() - prompt.extra.keys())
        return Written(changes)


LEGACY_PROMPTS: Final[PromptCodec] = LegacyPrompts()


def _text(prompt: Any) -> str:
    one = prompt[0] if isinstance(prompt, list) and len(prompt) == 1 and not isinstance(prompt[0], int) else prompt
    if isinstance(one, list) and one:
        if all(isinstance(token, int) for token in one):
            raise InvalidRequest("'prompt' holds tokens, and a message is text: send text.", param="prompt")
        told = f"'prompt' holds {len(one)} prompts, and one is a message: send a request for each."
        raise InvalidRequest(told, param="prompt")
    if not isinstance(one, str):
        raise InvalidRequest("'prompt' must be one string to be read as a message.", param="prompt")
    return one

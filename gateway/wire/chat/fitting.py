"""A chat request as an upstream with quirks takes it."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.domain import Quirks
from gateway.errors import InvalidRequest
from gateway.requests import Fields
from gateway.wire.fields import bent
from gateway.wire.json import decode_value, encode_value

_OF_MESSAGES: Final = "messages."
_IN_WORDS: Final = "Answer with nothing but one JSON object."
_IN_WORDS_OF_A_SCHEMA: Final = "Answer with nothing but one JSON object that this JSON Schema describes:"


def fitted(fields: Fields, quirks: Quirks, *, choices: int) -> Fields:
    """The fields with the quirks applied; what needs none keeps its bytes.

    Raises `InvalidRequest` where leaving a field out would change what the client gets back: several choices.
    """
    if quirks.omit or quirks.rename:
        if choices > 1 and "n" in quirks.omit:
            raise InvalidRequest("This model gives one choice only: 'n' must be 1.", param="n")
        fields = bent(fields, quirks)
    if quirks.response_format in ("json", "none") and (raw := fields.get("response_format")) is not None:
        fields = _asked_in_words(fields, decode_value(raw), takes_json=quirks.response_format == "json")
    if quirks.roles or quirks.omit or quirks.rename:
        change, messages = _Change.of(quirks), fields.get("messages")
        if messages is not None and change.concerns(messages):
            fields = {**fields, "messages": change.applied(messages)}
    return fields


class _Change(msgspec.Struct, frozen=True):
    """What is different in every message."""

    omit: frozenset[str]
    rename: Mapping[str, str]
    roles: Mapping[str, str]

    @classmethod
    def of(cls, quirks: Quirks) -> "_Change":
        rename = {_inside(old): _inside(new) for old, new in quirks.rename.items() if old.startswith(_OF_MESSAGES)}
        omit = frozenset(_inside(name) for name in quirks.omit if name.startswith(_OF_MESSAGES))
        return cls(omit, rename, quirks.roles)

    def concerns(self, messages: msgspec.Raw) -> bool:
        """Whether one of the words is there at all, which a search tells faster than reading."""
        text = bytes(messages)
        return any(b'"%s"' % word.encode() in text for word in (*self.omit, *self.rename, *self.roles))

    def applied(self, messages: msgspec.Raw) -> msgspec.Raw:
        """The messages; those that are as they should be keep their bytes."""
        try:
            parts = msgspec.json.decode(messages, type=list[msgspec.Raw])
        except msgspec.DecodeError:  # a lone surrogate, or no list, which the upstream will tell
            value = decode_value(messages)
            return encode_value([self._message(m) for m in value]) if isinstance(value, list) else messages
        return msgspec.Raw(b"[" + b",".join(bytes(self._raw(part)) for part in parts) + b"]")

    def _raw(self, raw: msgspec.Raw) -> msgspec.Raw:
        value = decode_value(raw)
        changed = self._message(value)
        return raw if changed == value else encode_value(changed)

    def _message(self, message: Any) -> Any:
        if not isinstance(message, dict):
            return message
        out = {
            self.rename.get(name, name): value
            for name, value in message.items()
            if name not in self.omit and not (name in self.rename and self.rename[name] in message)
        }
        role = out.get("role")
        if isinstance(role, str) and role in self.roles:
            out["role"] = self.roles[role]
        return out


def _inside(path: str) -> str:
    return path.removeprefix(_OF_MESSAGES)


def _asked_in_words(fields: Fields, wanted: Any, *, takes_json: bool) -> Fields:
    """The fields of a client that wants JSON, for an upstream that has no such field or not all of it."""
    kind = wanted.get("type") if isinstance(wanted, dict) else None
    if kind not in ("json_object", "json_schema") or (takes_json and kind == "json_object"):
        return fields
    out = dict(fields)
    if takes_json:
        out["response_format"] = msgspec.Raw(b'{"type":"json_object"}')
    else:
        del out["response_format"]
    described = wanted.get("json_schema")
    schema = described.get("schema") if isinstance(described, dict) else None
    words = _IN_WORDS if schema is None else f"{_IN_WORDS_OF_A_SCHEMA} {bytes(encode_value(schema)).decode()}"
    messages = decode_value(out["messages"]) if "messages" in out else None
    if isinstance(messages, list):
        out["messages"] = encode_value(_told(messages, words))
    return out


def _told(messages: list[Any], words: str) -> list[Any]:
    """The messages with those words behind the instructions at their start: some upstreams take one system message."""
    first = messages[0] if messages and isinstance(messages[0], dict) else {}
    if first.get("role") in ("system", "developer") and isinstance(first.get("content"), str):
        return [{**first, "content": f"{first['content']}\n\n{words}"}, *messages[1:]]
    return [{"role": "system", "content": words}, *messages]

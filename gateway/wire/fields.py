"""The last step of a request on its way out: the model's id, its defaults and its quirks, and the bytes to send."""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec

from gateway.domain import Model, Quirks
from gateway.requests import ChatRequest
from gateway.wire.json import decode_value, encode_value

_NOT_MISSED: Final = frozenset(("model", "store", "stream", "stream_options"))
"""What has been seen to, or is nobody's business but the gateway's."""


def written(fields: Mapping[str, msgspec.Raw], model: Model, *, keeps_model: bool) -> dict[str, msgspec.Raw]:
    """The fields in their order, with the model's id in the place of the client's name and its defaults behind."""
    encode = msgspec.json.encode
    out = dict(fields)
    if not keeps_model:
        out["model"] = msgspec.Raw(encode(model.model_id))
    for name, value in model.parameters.items():
        if name not in out:
            out[name] = msgspec.Raw(encode(value))
    return out


def asked_model(request: ChatRequest, model: Model) -> str:
    """The upstream's name of the model to ask: the client's word, where it names the upstream's model itself."""
    if request.keeps_model and (raw := request.fields.get("model")) is not None:
        named = decode_value(raw)
        if isinstance(named, str):
            return named
    return model.model_id


def told(
    said: Mapping[str, Any],
    defaults: Mapping[str, Any],
    quirks: Quirks,
    *,
    inner: str = "",
    request: ChatRequest | None = None,
) -> bytes:
    """What is said in an upstream's own words, as bytes: the defaults behind it, inside objects too, and the quirks
    applied. What these omit is also left out of the object called `inner`, and is noted in the `request` that said it.
    """
    out = dict(said)
    if request is not None and quirks.omit:
        inside = said.get(inner)
        names = (*said, *(inside if isinstance(inside, Mapping) else ()))
        request.lose(name for name in names if name in quirks.omit and name not in _NOT_MISSED)
    for name, value in defaults.items():
        if name not in out:
            out[name] = value
        elif isinstance(value, Mapping) and isinstance(out[name], Mapping):
            out[name] = {**value, **out[name]}
    if isinstance(config := out.get(inner), Mapping):
        out[inner] = {name: value for name, value in config.items() if name not in quirks.omit}
    return encoded(bent({name: encode_value(value) for name, value in out.items()}, quirks))


def bent(fields: Mapping[str, msgspec.Raw], quirks: Quirks) -> dict[str, msgspec.Raw]:
    """The fields without those the upstream refuses; one given under both names keeps the one it knows."""
    omit, rename = quirks.omit, quirks.rename
    if not omit and not rename:
        return dict(fields)
    out: dict[str, msgspec.Raw] = {}
    inner: dict[str, msgspec.Raw] = {}
    for name, value in fields.items():
        if name in omit:
            continue
        known = rename.get(name, name)
        if "." in known and known != name:
            inner[known] = value
        elif known == name or known not in fields:
            out[known] = value
    for path, value in inner.items():
        _put(out, path, value)
    return out


def unsent(request: ChatRequest, model: Model, fields: Mapping[str, msgspec.Raw], quirks: Quirks) -> list[str]:
    """The names of what the request says and `bent` leaves out of these fields; the model's defaults are not missed."""
    if not quirks.omit and not quirks.rename:
        return []
    gone = [
        name
        for name, value in fields.items()
        if (name in quirks.omit or _is_said_otherwise(name, fields, quirks))
        and (name in request.fields or name not in model.parameters)
        and name not in _NOT_MISSED
        and (name, bytes(value)) != ("n", b"1")
        and bytes(value) != b"null"
    ]
    return [*gone, *_unsent_of_messages(fields, quirks)]


def _is_said_otherwise(name: str, fields: Mapping[str, msgspec.Raw], quirks: Quirks) -> bool:
    """Whether the place it would have under its other name is taken."""
    known = quirks.rename.get(name, name)
    outer, _, inner = known.partition(".")
    if known == name or outer not in fields:
        return False
    said = decode_value(fields[outer]) if inner else None
    return not inner or not isinstance(said, dict) or inner in said


def _unsent_of_messages(fields: Mapping[str, msgspec.Raw], quirks: Quirks) -> Iterator[str]:
    of_messages = "messages."
    names = [name.removeprefix(of_messages) for name in quirks.omit if name.startswith(of_messages)]
    raw = fields.get("messages") if names else None
    # A search for the word is cheaper than reading, and most requests have none of it.
    if raw is None or not any(b'"%s"' % name.encode() in bytes(raw) for name in names):
        return
    messages = decode_value(raw)
    for name in sorted(names):
        if isinstance(messages, list) and any(isinstance(m, dict) and m.get(name) is not None for m in messages):
            yield name


def _put(fields: dict[str, msgspec.Raw], path: str, value: msgspec.Raw) -> None:
    """Put a value inside an object; what the client said there itself stays."""
    outer, _, name = path.partition(".")
    said = decode_value(fields[outer]) if outer in fields else {}
    if isinstance(said, dict) and name not in said:
        fields[outer] = encode_value({**said, name: decode_value(value)})


def encoded(fields: Mapping[str, msgspec.Raw]) -> bytes:
    """The fields as one JSON object."""
    try:
        return msgspec.json.encode(fields)
    except UnicodeEncodeError:  # a lone surrogate in a name
        pairs = (json.dumps(name).encode() + b":" + bytes(value) for name, value in fields.items())
        return b"{" + b",".join(pairs) + b"}"

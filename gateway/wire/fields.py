"""The last step of a request on its way out: the model's id, its defaults and its quirks, and the bytes to send."""

import json
from collections.abc import Mapping
from typing import Any

import msgspec

from gateway.domain import Model, Quirks
from gateway.requests import ChatRequest
from gateway.wire.json import decode_value, encode_value


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


def told(said: Mapping[str, Any], defaults: Mapping[str, Any], quirks: Quirks, *, inner: str = "") -> bytes:
    """What is said in an upstream's own words, as bytes: the defaults behind it, inside objects too, and the quirks
    applied. What these omit is also left out of the object called `inner`.
    """
    out = dict(said)
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

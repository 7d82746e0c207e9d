"""The last step of a request on its way out: the model's id, its defaults and its quirks, and the bytes to send."""

import json
from collections.abc import Mapping

import msgspec

from gateway.domain import Model, Quirks


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


def bent(fields: Mapping[str, msgspec.Raw], quirks: Quirks) -> dict[str, msgspec.Raw]:
    """The fields without those the upstream refuses; one given under both names keeps the one it knows."""
    omit, rename = quirks.omit, quirks.rename
    if not omit and not rename:
        return dict(fields)
    return {
        rename.get(name, name): value
        for name, value in fields.items()
        if name not in omit and not (name in rename and rename[name] in fields)
    }


def encoded(fields: Mapping[str, msgspec.Raw]) -> bytes:
    """The fields as one JSON object."""
    try:
        return msgspec.json.encode(fields)
    except UnicodeEncodeError:  # a lone surrogate in a name
        pairs = (json.dumps(name).encode() + b":" + bytes(value) for name, value in fields.items())
        return b"{" + b",".join(pairs) + b"}"

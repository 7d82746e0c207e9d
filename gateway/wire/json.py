"""Reads a client's JSON body: strictly, and without touching the bytes of its fields."""

import json
from typing import Any, Final

import msgspec

from gateway.errors import InvalidRequest

MAX_DEPTH: Final = 64
_BOM: Final = b"\xef\xbb\xbf"
_SPACE: Final = " \t\n\r"
_TO_PAIRS: Final = bytes.maketrans(b"{}", b"[]")
_NO_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_decode: Final = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def decode_object(body: bytes, *, max_depth: int = MAX_DEPTH) -> dict[str, msgspec.Raw]:
    """The top-level fields of a JSON object in order, each with its bytes as sent; of duplicates the last counts.

    Raises `InvalidRequest` and nothing else: for bad UTF-8, bad JSON, another value than an object, or one nested
    deeper than `max_depth`.
    """
    body = body.removeprefix(_BOM)
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError as error:
            raise InvalidRequest(f"The request body is not valid UTF-8 (byte {error.start}).") from error
    try:
        fields = _decode(body)
    except msgspec.ValidationError as error:
        raise InvalidRequest("The request body must be a JSON object.") from error
    except RecursionError as error:
        raise _too_deep(max_depth) from error
    except msgspec.DecodeError as error:
        if not body.strip():
            raise InvalidRequest("The request body is empty: it must be a JSON object.") from error
        if b"\\u" not in body:
            raise InvalidRequest(f"The request body is not valid JSON: {_reason(error, body)}.") from error
        fields = _decode_escaped(body, max_depth)
    if _deeper_than(body, max_depth):
        raise _too_deep(max_depth)
    return fields


def decode_value(raw: bytes) -> Any:
    """The value of valid JSON, lone surrogates included, and numbers of any length."""
    try:
        return msgspec.json.decode(raw)
    except msgspec.DecodeError:
        return json.loads(bytes(raw), parse_int=_number)


def decode_said(data: bytes) -> dict[str, Any]:
    """The JSON object an upstream sent, lone surrogates included; raises `ValueError` for anything else."""
    try:
        value = decode_value(data)
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def arguments_object(arguments: str) -> dict[str, Any]:
    """The arguments of a call as an object; what is none stands in one."""
    try:
        value = decode_value(arguments.encode("utf-8", "surrogatepass")) if arguments.strip() else {}
    except (ValueError, RecursionError):
        value = arguments
    return value if isinstance(value, dict) else {"arguments": value}


def encode_value(value: Any) -> msgspec.Raw:
    """The value as JSON; what UTF-8 cannot say (lone surrogates) is escaped."""
    try:
        return msgspec.Raw(msgspec.json.encode(value))
    except UnicodeEncodeError:
        return msgspec.Raw(json.dumps(value).encode())


def _decode_escaped(body: bytes, max_depth: int) -> dict[str, msgspec.Raw]:
    """The same where `\\uXXXX` escapes say lone surrogates, which msgspec refuses and JavaScript clients send."""
    text = body.decode()
    try:
        value = json.loads(text, parse_constant=_refuse, parse_int=float)
        if not isinstance(value, dict):
            raise InvalidRequest("The request body must be a JSON object.")
        return _slices(text)
    except json.JSONDecodeError as error:
        where = f"{error.msg} (character {error.pos})"
        raise InvalidRequest(f"The request body is not valid JSON: {where}.") from error
    except RecursionError as error:
        raise _too_deep(max_depth) from error
    except ValueError as error:
        raise InvalidRequest(f"The request body is not valid JSON: {error}.") from error


def _slices(text: str) -> dict[str, msgspec.Raw]:
    """The fields of a valid JSON object, cut out of its text."""
    read = json.JSONDecoder(parse_int=float).raw_decode
    fields: dict[str, msgspec.Raw] = {}
    at = _next(text, text.index("{") + 1)
    while text[at] != "}":
        name, at = read(text, at)
        at = _next(text, _next(text, at) + 1)  # the colon
        _, end = read(text, at)
        fields[name] = msgspec.Raw(text[at:end].encode())
        at = _next(text, end)
        if text[at] == ",":
            at = _next(text, at + 1)
    return fields


def _next(text: str, at: int) -> int:
    while text[at] in _SPACE:
        at += 1
    return at


def _deeper_than(body: bytes, limit: int) -> bool:
    """Whether a valid JSON text is nested deeper; a count settles it for nearly all."""
    if body.count(b"[") + body.count(b"{") <= limit:
        return False
    outside = b"".join(body.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')[::2])
    pairs = outside.translate(_TO_PAIRS, _NO_BRACKETS)
    for _ in range(limit):
        if not pairs:
            return False
        if b"[" * (limit + 1) in pairs:
            return True
        pairs = pairs.replace(b"[]", b"")
    return bool(pairs)


def _too_deep(limit: int) -> InvalidRequest:
    return InvalidRequest(f"The request body is nested deeper than {limit} levels.")


def _reason(error: msgspec.DecodeError, body: bytes) -> str:
    # The one thing that msgspec tells without a place, which is the end.
    if str(error) == "Input data was truncated":
        return f"it ends too early (byte {len(body)})"
    return str(error).removeprefix("JSON is malformed: ")


def _number(digits: str) -> int | float:
    # Python refuses to make integers of more than 4,300 digits, which JSON may have; JavaScript makes floats of them.
    return int(digits) if len(digits) < 4_000 else float(digits)


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON value")

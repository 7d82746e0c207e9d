"""What values may be: the limits every row keeps, and the stricter rules for what people type.

The tables take what Chatbot UI's tables take - a base URL there may be any text -; what comes from the command line
or stands in the settings is checked, so that a mistake is told where it was made.
"""

import re
import uuid
from collections.abc import Mapping
from typing import Any, Final

import ada_url
import msgspec

from gateway.domain import Prices, Quirks, Timeouts

LENGTHS: Final[Mapping[str, int]] = {
    "name": 100,
    "description": 500,
    "model_id": 1000,
    "base_url": 1000,
    "api_key": 1000,
    "provider": 100,
    "strategy": 100,
}

_KINDS: Final[Mapping[str, Any]] = {
    "parameters": dict[str, Any],
    "quirks": Quirks,
    "timeouts": Timeouts,
    "headers": dict[str, str],
    "prices": Prices,
    "capabilities": list[str],
}
STRUCTURED: Final = tuple(_KINDS)
"""The columns that hold JSON."""
_KIND: Final = re.compile(r"Expected `(?P<should>\w+)(?: \| null)?`, got `(?P<is>\w+)`(?: - at `\$\.?(?P<at>[^`]*)`)?")
_NO_CHOICE: Final = re.compile(r"Invalid enum value (?P<is>'.*') - at `\$\.(?P<at>.*)`", re.DOTALL)
_KINDS_OF_JSON: Final[Mapping[str, str]] = {
    "array": "a list",
    "bool": "true or false",
    "float": "a number",
    "int": "a number",
    "object": "a table",
    "str": "a text",
}
_CREDENTIALS: Final = 16_384
"""Characters of a key that is a JSON object: Google's credential files have two to three thousand."""
_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class InvalidValue(ValueError):
    """A value breaks a limit or a format; the message is one sentence with the way out, safe to print."""


def check_text(field: str, value: str) -> str:
    """`value`, if the column of that name can hold it."""
    limit = _CREDENTIALS if field == "api_key" and value.startswith("{") else LENGTHS.get(field)
    if limit is not None and len(value) > limit:
        raise InvalidValue(f"The {field} has {len(value)} characters, at most {limit} are allowed.")
    if "\0" in value:
        raise InvalidValue(f"The {field} contains a NUL character: remove it.")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InvalidValue(f"The {field} is not valid Unicode: it contains half of a surrogate pair.") from error
    return value


def canonical_uuid(text: str, *, what: str = "id") -> str:
    """The id in lower case with hyphens."""
    try:
        return str(uuid.UUID(text))
    except ValueError as error:
        raise InvalidValue(
            f"The {what} {text[:50]!r} is not a UUID: write it like {uuid.UUID(int=0)}, or leave it out."
        ) from error


def required(field: str, value: str) -> str:
    """`value` without outer white space, if it is one line with something in it."""
    value = check_text(field, value.strip())
    if not value:
        raise InvalidValue(f"The {field} is empty.")
    if not value.isprintable():
        raise InvalidValue(f"The {field} contains a control character: remove it.")
    return value


def base_url(value: str) -> str:
    """An address requests can be sent to: http or https, one host, no credentials, no fragment."""
    value = required("base_url", value)
    if " " in value:
        raise InvalidValue("The base URL contains a space: remove it.")
    try:
        parsed = ada_url.URL(value)
    except ValueError as error:
        raise InvalidValue(
            f"The base URL {value[:80]!r} is not a URL: write it like https://api.openai.com/v1."
        ) from error
    if parsed.protocol not in ("http:", "https:"):
        raise InvalidValue(f"The base URL's scheme is {parsed.protocol[:-1]!r}: use https or http.")
    if parsed.username or parsed.password:
        raise InvalidValue("The base URL contains credentials: give the key by --api-key-stdin instead.")
    if "#" in value:
        raise InvalidValue("The base URL contains a fragment (#...): remove it.")
    return value


def api_key(value: str) -> str:
    """A key that a header can hold; one newline at its end, as editors and `echo` leave it, is taken away.

    A JSON object, as credential files hold one, becomes one line: it never goes out in a header as it is.
    """
    if value.lstrip().startswith("{"):
        return check_text("api_key", _one_line(value))
    value = value.removesuffix("\n").removesuffix("\r")
    if any(character in value for character in "\r\n\0"):
        raise InvalidValue("The API key contains a line break or NUL: give exactly one key on one line.")
    try:
        value.encode("latin-1")
    except UnicodeEncodeError as error:
        raise InvalidValue(
            "The API key contains characters that no HTTP header can hold: check how it was copied."
        ) from error
    return check_text("api_key", value)


def _one_line(text: str) -> str:
    try:
        return msgspec.json.encode(msgspec.json.decode(text, type=dict[str, Any])).decode()
    except (msgspec.DecodeError, UnicodeError, RecursionError):  # never with the cause: it may quote the key
        raise InvalidValue("The API key begins like a JSON object and is none: check how it was copied.") from None


def structured(field: str, value: Any) -> Any:
    """`value`, if the gateway can read the column of that name from it."""
    kind = _KINDS[field]
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise InvalidValue(f"The {field} cannot be used: {_in_words(str(error))}.") from error
    known: tuple[str, ...] = getattr(kind, "__struct_fields__", ())
    if known and (unknown := sorted(set(value) - set(known))):
        raise InvalidValue(f"The {field} have no {' and no '.join(map(repr, unknown))}: there are {', '.join(known)}.")
    if field == "headers" and (bad := [name for name, text in value.items() if not _is_header(name, text)]):
        which = f"header{'s' if len(bad) > 1 else ''} {', '.join(repr(name[:50]) for name in bad)}"
        raise InvalidValue(f"The {which} cannot be sent: name or value have characters that none may have.")
    return value


def _in_words(message: str) -> str:
    """What msgspec says is wrong with JSON, in ours; as it is where we know none."""
    if (value := _NO_CHOICE.fullmatch(message)) is not None:
        return f"{value['at']} cannot be {value['is']}"
    if (found := _KIND.fullmatch(message)) is None:
        return message
    at, item, _ = (found["at"] or "").partition("[")
    what = f"each value{at and ' of '}{at}" if item else at or "they"
    should, is_now = (_KINDS_OF_JSON.get(found[kind], found[kind]) for kind in ("should", "is"))
    return f"{what} should be {should}, not {is_now}"


def _is_header(name: str, value: str) -> bool:
    return _TOKEN.fullmatch(name) is not None and not any(character in value for character in "\r\n\0")

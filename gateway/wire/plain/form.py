"""A form with files (`multipart/form-data`): its texts can be read and changed, its files keep their bytes."""

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from gateway.errors import InvalidRequest
from gateway.wire.json import decode_value, encode_value

_MEDIA_TYPE: Final = "multipart/form-data"
_BOUNDARY: Final = re.compile(
    r"""boundary=(?:"([^"\\\r\n]{1,70})"|([0-9A-Za-z'()+_,./:=?-]{1,70}))\s*(?:;|$)""", re.ASCII
)
_HEAD: Final = re.compile(rb"[ \t]*\r\n(?:(.*?)\r\n)??\r\n", re.DOTALL)
_DISPOSITION: Final = re.compile(
    rb'form-data;[ \t]*name="((?:[^"\\\r\n]|\\.)*)"((?:;[ \t]*filename\*?=(?:"(?:[^"\\\r\n]|\\.)*"|[^";\s]+))*)[ \t]*',
    re.IGNORECASE,
)
_MOST_PARTS: Final = 1_000


def is_form(content_type: str) -> bool:
    """Whether a body of this type is a form with files."""
    return content_type.partition(";")[0].strip().lower() == _MEDIA_TYPE


class _Part(NamedTuple):
    raw: bytes
    """With its headers, as it lies between two boundaries."""
    name: str
    text: str | None
    """None of a file."""


class Form:
    """One form as it was sent. Raises `InvalidRequest` for one that two readers could read differently."""

    __slots__ = ("_delimiter", "_end", "_parts", "_start")

    def __init__(self, body: bytes, content_type: str) -> None:
        found = _BOUNDARY.search(content_type)
        if found is None:
            raise InvalidRequest("The content-type of a form must name its boundary.")
        self._delimiter = b"\r\n--" + (found[1] or found[2]).encode()
        self._start, *parts = (b"\r\n" + body).split(self._delimiter, _MOST_PARTS + 1)
        if len(parts) < 2 or not parts[-1].startswith(b"--"):
            raise InvalidRequest(f"The form is cut short, or has more than {_MOST_PARTS} parts.")
        self._end = parts.pop()
        self._parts = [_part(raw, number) for number, raw in enumerate(parts, 1)]

    @property
    def fields(self) -> dict[str, msgspec.Raw]:
        """The texts by name, as JSON: a string, or an array of them where a name comes several times."""
        texts: dict[str, list[str]] = {}
        for part in self._parts:
            if part.text is not None:
                texts.setdefault(part.name, []).append(part.text)
        return {name: encode_value(said[0] if len(said) == 1 else said) for name, said in texts.items()}

    def has_file(self, name: str) -> bool:
        """Whether a file has that name."""
        return any(part.name == name and part.text is None for part in self._parts)

    def with_fields(self, fields: Mapping[str, msgspec.Raw]) -> bytes:
        """The body whose texts say these fields; what does not differ keeps its bytes, and so does every file."""
        before, said = self.fields, set[str]()
        out: list[bytes] = []
        for part in self._parts:
            name = part.name
            if part.text is None or (name in fields and bytes(fields[name]) == bytes(before[name])):
                out.append(part.raw)
            elif name in fields and name not in said:
                out += _written(name, fields[name])
            said.add(name)
        for name in fields.keys() - before.keys():
            out += _written(name, fields[name])
        return self._delimiter.join((self._start, *out, self._end))[2:]


def _part(raw: bytes, number: int) -> _Part:
    head = _HEAD.match(raw)
    lines = (head[1] or b"").split(b"\r\n") if head else []
    said = [line for line in lines if line.lower().startswith(b"content-disposition:")]
    folded = any(
        line[:1] in (b" ", b"\t") for line in lines
    )  # some readers take such a line for more of the one before
    match = _DISPOSITION.fullmatch(said[0].partition(b":")[2].strip()) if len(said) == 1 and not folded else None
    if head is None or match is None:
        raise InvalidRequest(f"Part {number} of the form does not say its name as a form's part has to.")
    try:
        name = match[1].decode()
        return _Part(raw, name, None if match[2] else raw[head.end() :].decode())
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"Part {number} of the form is no valid UTF-8.") from error


def _written(name: str, value: msgspec.Raw) -> list[bytes]:
    quoted = name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A").encode("utf-8", "replace")
    head = b'\r\nContent-Disposition: form-data; name="' + quoted + b'"\r\n\r\n'
    said = decode_value(value)
    return [head + _text(one) for one in (said if isinstance(said, list) else [said])]


def _text(value: Any) -> bytes:
    return value.encode("utf-8", "replace") if isinstance(value, str) else bytes(encode_value(value))

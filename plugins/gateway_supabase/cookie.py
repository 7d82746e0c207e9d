"""The session cookie as the Supabase libraries write it.

`@supabase/ssr` writes the session as a JSON object, since 0.4 behind `base64-`; `@supabase/auth-helpers` writes an
array that begins with the access token. Both encode it for a URL and, when it is long, cut it into cookies `.0`, `.1`
and so on.
"""

import base64
import binascii
from typing import Any, Final
from urllib.parse import unquote

import msgspec

_BASE64: Final = "base64-"
_IGNORED: Final = str.maketrans("", "", " \t\r\n=")


class _Session(msgspec.Struct):
    access_token: str


def access_token(header: str, name: str) -> str | None:
    """The access token in the cookie of that name; None where there is no session that can be read."""
    cookies = _cookies(header, name)
    text = cookies.get(name) or _joined(cookies, name)
    if text.startswith(_BASE64):
        text = _decoded(text.removeprefix(_BASE64))
    try:
        session = msgspec.json.decode(text, type=_Session | list[Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    if isinstance(session, _Session):
        return session.access_token
    return session[0] if session and isinstance(session[0], str) else None


def _cookies(header: str, name: str) -> dict[str, str]:
    """The cookie and its pieces, decoded. Of two with one name the first counts: the libraries read it so."""
    found: dict[str, str] = {}
    for pair in header.split(";"):
        key, equals, value = pair.partition("=")
        key, value = key.strip(), value.strip()
        if equals and key.startswith(name) and key not in found:
            found[key] = _unquoted(value[1:-1] if value.startswith('"') else value)
    return found


def _unquoted(value: str) -> str:
    try:
        return unquote(value, errors="strict")
    except UnicodeDecodeError:
        return value


def _joined(cookies: dict[str, str], name: str) -> str:
    pieces: list[str] = []
    while piece := cookies.get(f"{name}.{len(pieces)}"):
        pieces.append(piece)
    return "".join(pieces)


def _decoded(text: str) -> str:
    """What base64 of the URL kind says, padded or not; nothing when it cannot be read."""
    letters = text.translate(_IGNORED)
    try:
        return base64.b64decode(letters + "=" * (-len(letters) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return ""

"""Images, sounds and documents as the parts of a Gemini request."""

import mimetypes
from typing import Any, Final

from gateway.prompt import MediaPart

_Json = dict[str, Any]
_SIGNS: Final = (
    ("JVBERi0", "application/pdf"),
    ("iVBORw0KGgo", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
)
"""How files begin, in base64."""
_KINDS: Final = {"image": "image/jpeg", "audio": "audio/wav"}
_ANY: Final = "application/octet-stream"
_OURS: Final = ("https://", "gs://")
"""How the ids of Google's own uploads begin."""


def write_media(part: MediaPart) -> _Json | None:
    """The part; None for what has no place: the id of another maker's upload."""
    if part.data is not None:
        return {"inlineData": {"mimeType": _kind(part) or _ANY, "data": part.data}}
    uri = part.url if part.url is not None else part.id
    if uri is None or (part.url is None and not uri.startswith(_OURS)):
        return None
    kind = _kind(part)
    return {"fileData": {**({"mimeType": kind} if kind else {}), "fileUri": uri}}


def _kind(part: MediaPart) -> str | None:
    """What Gemini wants to be told, and other dialects may leave out; None where nothing shows it."""
    if part.media_type is not None:
        return part.media_type
    begins = (kind for sign, kind in _SIGNS if (part.data or "").startswith(sign))
    place = (part.url or "").partition("?")[0]
    named = mimetypes.guess_type(part.name or "")[0] or mimetypes.guess_type(place)[0]
    return next(begins, named or _KINDS.get(part.kind))

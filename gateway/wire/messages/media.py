"""Images and documents as the blocks of a messages request."""

import base64
import binascii
from typing import Any, Final

from gateway.prompt import MediaPart

_Json = dict[str, Any]
_IMAGES: Final = frozenset(("image/jpeg", "image/png", "image/gif", "image/webp"))
_PDF: Final = "application/pdf"
_PDF_BEGINS: Final = "JVBERi0"
"""`%PDF-` in base64."""


def write_media(part: MediaPart, *, own: bool) -> _Json | None:
    """The block; None for what has no place. The id of an upload is only valid at its maker."""
    source = _source(part, own=own)
    if source is None or part.kind == "audio":
        return None
    if part.kind == "image" or str(source.get("media_type", "")).startswith("image/"):
        return {"type": "image", "source": source}
    return {"type": "document", "source": source, **({"title": part.name} if part.name is not None else {})}


def _source(part: MediaPart, *, own: bool) -> _Json | None:
    if part.id is not None and part.data is None:
        return {"type": "file", "file_id": part.id} if own else None
    if part.data is None:
        return {"type": "url", "url": part.url} if part.url and not part.url.startswith("data:") else None
    media_type = part.media_type
    if media_type is None and part.kind == "file" and _is_pdf(part):
        media_type = _PDF
    if media_type is not None and media_type.startswith("text/"):
        words = _decoded(part.data)
        return None if words is None else {"type": "text", "media_type": "text/plain", "data": words}
    if own or media_type in _IMAGES or (media_type == _PDF and part.kind == "file"):
        return {"type": "base64", "media_type": media_type, "data": part.data}
    return None


def _is_pdf(part: MediaPart) -> bool:
    return (part.name or "").lower().endswith(".pdf") or (part.data or "").startswith(_PDF_BEGINS)


def _decoded(data: str) -> str | None:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return None

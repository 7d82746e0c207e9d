"""Images, documents and sounds as the blocks of a Converse request."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from gateway import InvalidRequest, MediaPart

_IMAGES: Final = frozenset(("png", "jpeg", "gif", "webp"))
_SOUNDS: Final = frozenset(("mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "m4a", "mpeg", "pcm", "webm"))
_DOCUMENTS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "application/pdf": "pdf",
        "text/csv": "csv",
        "application/msword": "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
        "application/vnd.ms-excel": "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
        "text/html": "html",
        "text/plain": "txt",
        "text/markdown": "md",
    }
)
_EXTENSIONS: Final = frozenset(_DOCUMENTS.values())
_PDF_BEGINS: Final = "JVBERi0"
"""`%PDF-` in base64."""
_NOT_IN_NAMES: Final = re.compile(r"[^a-zA-Z0-9 ()\[\]-]+")
_LONGEST_NAME: Final = 200


class MediaWriter:
    """Writes media by value; Bedrock fetches nothing but from S3. Documents get names, each its own."""

    __slots__ = ("_names",)

    def __init__(self) -> None:
        self._names: set[str] = set()

    def block(self, part: MediaPart) -> dict[str, Any]:
        """The block; raises `InvalidRequest` for what Bedrock cannot be given."""
        source = _source(part)
        kind, _, form = (part.media_type or "").lower().partition("/")
        if part.kind == "image" or kind == "image":
            form = {"jpg": "jpeg"}.get(form, form)
            return {"image": {"format": _known(form, _IMAGES, part), "source": source}}
        if part.kind == "audio":
            return {"audio": {"format": _known(form.removeprefix("x-"), _SOUNDS, part), "source": source}}
        return {"document": {"format": _document(part), "name": self._name(part.name), "source": source}}

    def _name(self, given: str | None) -> str:
        """A name with the signs that are allowed, and no second of its kind."""
        stem = (given or "").rpartition(".")[0] or given or ""
        name = " ".join(_NOT_IN_NAMES.sub(" ", stem).split())[:_LONGEST_NAME].strip() or "document"
        free = name
        while free in self._names:
            free = f"{name} {len(self._names) + 1}"
        self._names.add(free)
        return free


def _source(part: MediaPart) -> dict[str, Any]:
    if part.data is not None:
        return {"bytes": part.data}
    if part.url is not None and part.url.startswith("s3://"):
        return {"s3Location": {"uri": part.url}}
    what = "the id of an upload" if part.id is not None else "an address"
    raise InvalidRequest(
        f"The model of this request takes {_WORDS[part.kind]} by value (base64) or from S3, not by {what}.",
        param="messages",
    )


_WORDS: Final = {"image": "images", "audio": "sounds", "file": "documents"}


def _known(form: str, forms: frozenset[str], part: MediaPart) -> str:
    if form in forms:
        return form
    said = f"'{part.media_type}'" if part.media_type else "one without its type"
    raise InvalidRequest(
        f"The model of this request takes {_WORDS[part.kind]} of the types {', '.join(sorted(forms))}, not {said}.",
        param="messages",
    )


def _document(part: MediaPart) -> str:
    extension = (part.name or "").lower().rpartition(".")[2]
    form = _DOCUMENTS.get((part.media_type or "").lower(), extension)
    if form not in _EXTENSIONS and (part.data or "").startswith(_PDF_BEGINS):
        return "pdf"
    return _known(form, _EXTENSIONS, part)

"""Where a Gemini answer says it has things from: what it found, and what it repeats."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from gateway.events import Citation, Frame
from gateway.wire.unicode import well_formed

_SOURCES: Final = ("web", "retrievedContext", "maps", "image")


def citations(candidate_metadata: tuple[Any, Any], said: str, choice: int, frame: Frame | None) -> Iterator[Citation]:
    """The citations of both kinds of metadata; their places count bytes of `said`, ours characters."""
    grounding, citation = candidate_metadata
    if isinstance(grounding, dict):
        yield from _grounded(grounding, said, choice, frame)
    if isinstance(citation, dict):
        for one in _objects(citation.get("citationSources") or citation.get("citations")):
            start, end = _place(said, one)
            url = _text(one.get("uri"))
            if url is not None:
                yield Citation(
                    url=url,
                    title=_text(one.get("title")),
                    start=start,
                    end=end,
                    choice=choice,
                    native=one,
                    source=frame,
                )


def _grounded(grounding: Mapping[str, Any], said: str, choice: int, frame: Frame | None) -> Iterator[Citation]:
    chunks = [_chunk(one) for one in _objects(grounding.get("groundingChunks"))]
    supports = _objects(grounding.get("groundingSupports"))
    for support in supports:
        segment = support.get("segment")
        segment = segment if isinstance(segment, dict) else {}
        start, end = _place(said, segment)
        indices = support.get("groundingChunkIndices")
        for index in indices if isinstance(indices, list) else ():
            if type(index) is int and 0 <= index < len(chunks):
                url, title = chunks[index]
                yield Citation(
                    url=url,
                    title=title,
                    quote=_text(segment.get("text")),
                    start=start,
                    end=end,
                    choice=choice,
                    native=support,
                    source=frame,
                )
    if not supports:
        for url, title in chunks:
            yield Citation(url=url, title=title, choice=choice, source=frame)


def _chunk(chunk: Mapping[str, Any]) -> tuple[str | None, str | None]:
    found = next((said for name in _SOURCES if isinstance(said := chunk.get(name), dict)), {})
    return _text(found.get("uri") or found.get("sourceUri")), _text(found.get("title"))


def _place(said: str, segment: Mapping[str, Any]) -> tuple[int | None, int | None]:
    """Characters for bytes; a start that is left out is the first."""
    end = segment.get("endIndex")
    if type(end) is not int or end < 0:
        return None, None
    start = segment.get("startIndex", 0)
    whole = said.encode("utf-8", "replace")
    places = (start if type(start) is int and start >= 0 else 0, end)
    first, last = (len(whole[:place].decode("utf-8", "ignore")) for place in places)
    return first, last


def _objects(value: Any) -> list[Mapping[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return well_formed(value) if isinstance(value, str) and value else None

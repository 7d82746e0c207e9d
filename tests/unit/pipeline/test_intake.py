"""What kind of body an answer is."""

import pytest

from gateway.events import Frame
from gateway.pipeline.intake import Intake
from gateway.wire.chat import Chat
from gateway.wire.lines import Lines


class Lined(Chat):
    """A dialect of lines."""

    media_type = "application/x-ndjson"

    def framing(self, *, lenient: bool = False) -> Lines:  # type: ignore[override]
        return Lines(lenient=lenient)


def cut(content_type: str, data: bytes) -> list[Frame]:
    return Intake(Lined(), content_type=content_type, lenient=False).cut(data)


@pytest.mark.parametrize("content_type", ["application/x-ndjson", "Application/X-NDJSON; charset=utf-8"])
def test_a_stream_that_is_no_event_stream_is_cut_from_its_first_byte(content_type: str) -> None:
    assert [frame.data for frame in cut(content_type, b"{}\n")] == [b"{}"]


@pytest.mark.parametrize("content_type", ["application/json", "text/event-stream", ""])
def test_what_is_announced_as_something_else_is_a_whole_body(content_type: str) -> None:
    assert cut(content_type, b"data: {}\n\n{}\n") == []

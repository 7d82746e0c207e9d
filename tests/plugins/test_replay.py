"""The replay harness itself, on the dialects of ours; and that it sees what is wrong."""

import msgspec
import pytest
from replay import replayed, shown

from gateway.events import End, Event, Finish, Frame, Text
from gateway.testing.canned import CHAT as CHAT_ANSWERS
from gateway.testing.canned_messages import MESSAGES as MESSAGES_ANSWERS
from gateway.wire.chat import CHAT, Chat
from gateway.wire.chat.reader import ChatReader
from gateway.wire.messages import MESSAGES


def test_a_messages_stream_cut_anywhere() -> None:
    counts = replayed(MESSAGES, MESSAGES_ANSWERS["parallel_tools"])
    print(shown("messages", counts))
    assert {"chat", "messages", "text"} <= counts.keys()


@pytest.mark.parametrize("name", ["reasoning", "several_choices"])
def test_a_chat_stream_cut_anywhere(name: str) -> None:
    print(shown(f"chat {name}", replayed(CHAT, CHAT_ANSWERS[name])))


class EndsAnyway(ChatReader):
    """Takes every second text for the end of the answer."""

    def read(self, frame: Frame) -> list[Event]:
        events = super().read(frame)
        ends = [Finish(reason="stop"), End()] if any(isinstance(e, Text) and "there" in e.text for e in events) else []
        return [*events, *ends]


class Lying(Chat):
    """Chat with that reader."""

    def reader(self, *, lenient: bool = False) -> ChatReader:
        return EndsAnyway()


def test_a_clean_end_without_the_whole_answer_is_seen() -> None:
    with pytest.raises(AssertionError, match="text"):
        replayed(Lying(), CHAT_ANSWERS["text"])


def test_an_answer_that_says_something_else_is_seen() -> None:
    canned = msgspec.structs.replace(CHAT_ANSWERS["text"], says=MESSAGES_ANSWERS["reasoning"].says)
    with pytest.raises(AssertionError, match="reasoning"):
        replayed(CHAT, canned)

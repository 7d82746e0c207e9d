"""A responses stream cut at each of its bytes and split at each of them, through every client dialect."""

from replay import replayed, shown
from responses_streams import STREAMS

from gateway.testing.canned import Canned, Said
from gateway.wire.responses import RESPONSES

EVERYTHING = Canned(
    writes=tuple(STREAMS["everything"]),
    says=Said(
        reasoning="Hm.",
        text="I l\U0001f389k.",
        tools=(("f", '{"city": "ã"}'), ("g", "{}")),
        finish="tool_calls",
        tokens=(37, 11),
    ),
)


def test_a_responses_stream_cut_anywhere() -> None:
    counts = replayed(RESPONSES, EVERYTHING)
    print(shown("responses", counts))
    assert counts.keys() >= {"chat", "messages", "responses", "responses, whole", "text"}
    assert counts["responses"]["whole"] == 0, "a response is whole with the last byte of its last event alone"

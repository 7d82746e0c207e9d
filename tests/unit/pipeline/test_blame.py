"""Whose fault it is: no model is blamed for a plugin that is not its provider's."""

from gateway.testing.upstream import chat_events, stream


def ok(*texts: str):
    return stream(*chat_events(*texts), pause=0)


async def test_a_transform_that_cannot_start_counts_against_no_model_and_asks_no_other_one(open_house):
    class Broken:
        def start(self, exchange):
            raise RuntimeError("no")

    async with open_house(stream_transforms=[Broken()]) as house:
        house.route("r", house.model("one", ok("a")), house.model("two", ok("b")))
        for _ in range(3):
            assert (await house.ask("r")).status == 503
        assert house.pipeline.health.report() == []
        assert (len(house.upstream.seen("one")), house.upstream.seen("two")) == (3, [])

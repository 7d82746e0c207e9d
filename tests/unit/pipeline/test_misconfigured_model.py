"""A model that cannot be called as it is configured: the client learns that, the operator why."""

from gateway.testing.upstream import chat_events, stream

FAULT = "The environment variable PROVIDER_KEY is not set."
ANSWER = stream(*chat_events("answer"), pause=0)


async def test_the_client_is_told_nothing_of_the_operators_house(open_house):
    async with open_house() as house:
        house.model("m", ANSWER, fault=FAULT)
        response = await house.ask("m")
        assert (response.status, response.body) == (
            502,
            b"model_misconfigured: The model is not configured properly.",
        )
        assert house.upstream.seen("m") == []
        [line] = [fields for event, fields in house.log.events if event == "exchange"]
        assert (line["detail"], line["attempts"]) == (FAULT, 1)


async def test_the_next_model_of_the_route_answers(open_house):
    async with open_house() as house:
        house.route("both", house.model("first", ANSWER, fault=FAULT), house.model("second", ANSWER))
        assert (await house.ask("both")).body == b"answer"
        assert house.upstream.seen("first") == []

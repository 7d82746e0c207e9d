"""What is counted of an exchange, under labels that cannot grow without end."""

from gateway.domain import Principal
from gateway.runtime import Generation, Registered
from gateway.testing.bench import Bench
from gateway.testing.upstream import Behaviour, chat_events, reply, stream
from gateway_metrics.catalog import ATTEMPTS, FIRST_TOKEN, INTER_TOKEN, REASONS, REQUESTS
from gateway_metrics.recorder import Recorder
from gateway_metrics.settings import Settings

ANSWER = stream(*chat_events("a", "b", "c"), pause=0)


async def recorded(settings: Settings, *behaviours: Behaviour, ask_unknown: bool = False) -> Recorder:
    """What a recorder knows after each behaviour was played by a model of its own."""
    recorder = Recorder(settings)
    generation = Generation(number=1, stream_observers=(Registered("metrics", recorder),))
    async with Bench(lambda gateway: generation) as bench:
        for number, behaviour in enumerate(behaviours):
            bench.model(f"m{number}", behaviour)
            await bench.ask(f"m{number}")
        if ask_unknown:
            await bench.ask("a client's own words")
    return recorder


def labels(recorder: Recorder, name: str) -> dict[tuple[str, ...], float]:
    return {key[1:]: sum(numbers[:1]) for key, numbers in recorder.tally.totals().items() if key[0] == name}


async def test_models_beyond_the_limit_are_counted_together() -> None:
    recorder = await recorded(Settings(models=2), ANSWER, ANSWER, ANSWER, reply(400), ANSWER)
    assert labels(recorder, ATTEMPTS.name) == {
        ("m0", "kit", "ok", "none"): 1,
        ("m1", "kit", "ok", "none"): 1,
        ("other", "other", "ok", "none"): 2,
        ("other", "other", "upstream_error", "upstream_error"): 1,
    }


async def test_no_label_holds_what_a_client_sent() -> None:
    recorder = await recorded(Settings(), ANSWER, ask_unknown=True)
    assert labels(recorder, REQUESTS.name) == {("kit", "ok", "200"): 1, ("kit", "rejected", "404"): 1}
    assert "words" not in repr(recorder.tally.totals())


async def test_the_label_may_be_the_registrys_id() -> None:
    recorder = Recorder(Settings(model_label="id"))
    generation = Generation(number=1, stream_observers=(Registered("metrics", recorder),))
    async with Bench(lambda gateway: generation) as bench:
        bench.route("name", bench.model("the-id", ANSWER))
        await bench.ask("name")
    assert list(labels(recorder, ATTEMPTS.name)) == [("the-id", "kit", "ok", "none")]


async def test_an_answers_gaps_count_as_their_mean_or_each() -> None:
    for gaps, count in (("mean", 1), ("each", 2)):
        recorder = await recorded(Settings(gaps=gaps), ANSWER)  # type: ignore[arg-type]
        (numbers,) = (found for key, found in recorder.tally.totals().items() if key[0] == INTER_TOKEN.name)
        assert sum(numbers[:-1]) == count
        (first,) = (found for key, found in recorder.tally.totals().items() if key[0] == FIRST_TOKEN.name)
        assert sum(first[:-1]) == 1


async def test_every_attempt_counts_and_the_exchange_once() -> None:
    recorder = Recorder(Settings())
    generation = Generation(number=1, stream_observers=(Registered("metrics", recorder),))
    async with Bench(lambda gateway: generation) as bench:
        bench.route("both", bench.model("first", reply(503)), bench.model("second", ANSWER))
        asked = bench.begin("both", principal=Principal("kit", unrestricted=True))
        await asked.task
    assert labels(recorder, REQUESTS.name) == {("kit", "ok", "200"): 1}
    assert labels(recorder, ATTEMPTS.name) == {
        ("first", "kit", "upstream_error", "upstream_error"): 1,
        ("second", "kit", "ok", "none"): 1,
    }
    assert labels(recorder, REASONS.name) == {("first", "kit", "first"): 1, ("second", "kit", "failover"): 1}

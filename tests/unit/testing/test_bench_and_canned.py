"""The kit's own instruments measure: the bench, the canned answers, gates, the loop's watch, the search for secrets."""

import logging

import pytest

from gateway import Model, Principal, Route, Secret
from gateway.errors import ModelNotFound, UpstreamError
from gateway.events import Reasoning, Text, ToolCall, Usage
from gateway.runtime import Generation
from gateway.testing.asked import chat_request
from gateway.testing.bench import Bench
from gateway.testing.canned import CHAT, FAILURES, Said, difference, dripped, said
from gateway.testing.conformance.evidence import Evidence
from gateway.testing.faults import stall_before_head
from gateway.testing.standin import OWNER, PRIVATE_ID, furnished

ANYBODY = Principal("anybody", unrestricted=True)


def bench(**options: object) -> Bench:
    return Bench(lambda gateway: Generation(number=1), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", CHAT)
async def test_every_canned_answer_says_what_it_is_said_to_say(name: str) -> None:
    canned = CHAT[name]
    async with bench() as house:
        house.model(name, canned.behaviour())
        asked = await house.ask(chat_request(name, choices=canned.choices))
    assert asked.problem == ""
    assert difference(canned.says, asked.said) == ""


@pytest.mark.parametrize("status", FAILURES)
async def test_every_canned_failure_has_its_status(status: str) -> None:
    async with bench() as house:
        house.model("failing", FAILURES[status])
        asked = await house.ask("failing")
    assert isinstance(asked.error, UpstreamError)
    assert asked.error.status == int(status)
    assert "UpstreamError" in asked.problem


async def test_a_gated_upstream_writes_when_it_may_and_not_before() -> None:
    canned = CHAT["text"]
    async with bench() as house:
        house.model("gated", canned.behaviour(gated=True))
        asked = house.begin("gated", principal=ANYBODY)
        await house.upstream.wait_for("gated")
        (seen,) = house.upstream.seen("gated")
        for count in range(1, len(canned.writes) + 1):
            assert await house.settled(lambda count=count: seen.writes == count)  # type: ignore[misc]
            seen.go_on()
        assert await asked.ended()
    assert asked.said.text == canned.says.text


async def test_a_client_that_leaves_ends_its_exchange_and_the_upstreams_connection() -> None:
    async with bench() as house:
        house.model("silent", stall_before_head())
        asked = house.begin("silent", principal=ANYBODY)
        seen = await house.upstream.wait_for("silent")
        asked.leave()
        assert await asked.ended()
        await seen.closed()
        assert await house.settled(lambda: bool(house.records))
    assert house.records[0].outcome == "client_abort"


async def test_a_private_model_is_nobodys_but_its_owners() -> None:
    model = furnished().model(PRIVATE_ID)
    assert isinstance(model, Model)
    async with bench() as house:
        house.route("private", model)
        asked = await house.ask("private", principal=Principal("stranger", owner="somebody"))
    assert isinstance(asked.refusal, ModelNotFound)
    assert Principal("owner", owner=OWNER).may_use(model)
    assert Route.of(model).targets == (model,)


def test_what_is_said_is_put_together_by_kind_and_call() -> None:
    events = [
        Text(text="a"),
        Text(text="b"),
        Text(text="other", choice=1),
        Reasoning(text="hm"),
        ToolCall(part=1, name="f", arguments="{"),
        ToolCall(part=2, name="g"),
        ToolCall(part=1, arguments="}"),
        ToolCall(name="h"),
        ToolCall(arguments="[]"),
        Usage(input=1, output=2),
    ]
    assert said(events) == Said(
        text="ab",
        others=("other",),
        reasoning="hm",
        tools=(("f", "{}"), ("g", ""), ("h", "[]")),
        tokens=(1, 2),
        finish="",
    )


def test_a_difference_names_what_is_missing() -> None:
    assert difference(Said(text="ab"), Said(text="a")) == "of the upstream's text 'ab' the client got 'a'"
    assert difference(Said(tokens=(1, 2)), Said()) == "of the upstream's tokens (1, 2) the client got nothing"
    assert difference(Said(), Said(reasoning="more than was asked for")) == ""


def test_a_dripped_answer_has_one_byte_for_each_write() -> None:
    drip = dripped(CHAT["text"])
    assert {len(write) for write in drip.writes} == {1}
    assert b"".join(drip.writes) == b"".join(CHAT["text"].writes)


@pytest.mark.parametrize("where", ["print", "log", "error", "cause", "note", "repr"])
def test_a_secret_is_found_wherever_it_slipped(where: str) -> None:
    with Evidence() as evidence:
        error = ValueError("harmless")
        if where == "print":
            print(evidence.canary)
        elif where == "log":
            logging.getLogger("some.library").debug("sent %s", evidence.canary)
        elif where == "error":
            error = ValueError(evidence.canary)
        elif where == "cause":
            error.__cause__ = RuntimeError(f"key={evidence.canary}")
        elif where == "note":
            error.add_note(evidence.canary)
        else:
            evidence.note("a repr", {"key": evidence.canary})
        evidence.note("the error", error)
    assert evidence.found() != ""


def test_a_secret_that_is_kept_is_not_found() -> None:
    with Evidence() as evidence:
        evidence.note("a model", Model(id="1", name="m", model_id="m", base_url="", api_key=Secret(evidence.canary)))
    assert evidence.found() == ""

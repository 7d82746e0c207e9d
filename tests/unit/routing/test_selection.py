"""Which targets may take a request: conditions, sizes, priorities."""

import json
from typing import Any

import msgspec
import pytest

from gateway.domain import Exchange, Model, Principal, Route
from gateway.requests import ChatRequest
from gateway.routing import select
from gateway.size import Size
from gateway.terms import Condition, Terms
from gateway.wire.chat import CHAT_PROMPTS


def model(name: str, context_length: int = 0, **fields: Any) -> Model:
    return Model(
        id=name, name=name, model_id=name, base_url="http://a.example", context_length=context_length, **fields
    )


def request(text: str = "Hello", **fields: Any) -> ChatRequest:
    said = {"messages": [{"role": "user", "content": text}], **fields}
    raw = {name: msgspec.Raw(json.dumps(value).encode()) for name, value in said.items()}
    return ChatRequest(dialect="chat", model="r", stream=True, fields=raw, codec=CHAT_PROMPTS)


def exchange(headers: dict[str, str] | None = None, principal: Principal | None = None) -> Exchange:
    made = Exchange("x", "chat")
    made.headers = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    made.principal = principal or Principal("key-1", name="ci")
    return made


def route(**terms: Terms) -> Route:
    return Route("r", tuple(model(name) for name in terms), terms=terms)


def when(text: str) -> Terms:
    return Terms(when=(Condition.read(text),))


def names(selection: Any) -> list[list[str]]:
    return [[one.name for one in group] for group in selection.groups]


@pytest.mark.parametrize(
    ("condition", "headers", "fields", "holds"),
    [
        ("tag:big", {"x-gateway-tags": "small, big"}, {}, True),
        ("tag:big", {}, {"metadata": {"tags": ["big"]}}, True),
        ("tag:big", {}, {"metadata": {"tags": "small,big"}}, True),
        ("tag:big", {"x-gateway-tags": "bigger"}, {"metadata": {"tags": 3}}, False),
        ("tag:big", {}, {"metadata": "big"}, False),
        ("key:key-1", {}, {}, True),
        ("key:ci", {}, {}, True),
        ("key:other", {}, {}, False),
        ("header:x-team=red", {"x-team": "red"}, {}, True),
        ("header:x-team=red", {"x-team": "blue"}, {}, False),
        ("header:x-team", {"x-team": "blue"}, {}, True),
        ("header:x-team", {}, {}, False),
        ("tokens<100", {}, {}, True),
        ("tokens>=100", {}, {}, False),
    ],
)
def test_a_target_takes_part_when_its_condition_holds(
    condition: str, headers: dict[str, str], fields: dict[str, Any], holds: bool
) -> None:
    selection = select(route(a=when(condition), b=Terms()), request(**fields), exchange(headers))
    assert names(selection) == [["a", "b"] if holds else ["b"]]
    assert selection.excluded == ({} if holds else {"a": f"the condition {condition} does not hold"})


def test_all_conditions_of_a_target_have_to_hold() -> None:
    both = Terms(when=(Condition.read("tag:big"), Condition.read("key:ci")))
    tagged = {"x-gateway-tags": "big"}
    assert names(select(route(a=both), request(), exchange(tagged))) == [["a"]]
    assert names(select(route(a=both), request(), exchange(tagged, Principal("k")))) == []
    assert names(select(route(a=both), request(), exchange())) == []


@pytest.mark.parametrize("name", ["authorization", "x-api-key", "cookie"])
def test_credentials_are_no_headers_to_route_by(name: str) -> None:
    assert exchange({name: "secret"}).header(name) is None


def test_priorities_are_groups_lowest_first_in_the_order_written() -> None:
    selection = select(
        route(c=Terms(priority=2), a=Terms(priority=1), b=Terms(priority=1), d=Terms()), request(), exchange()
    )
    assert names(selection) == [["d"], ["a", "b"], ["c"]]


def sized(*lengths: int, **fields: Any) -> Route:
    return Route("r", tuple(model(f"{length}", length, **fields) for length in lengths))


def test_who_is_too_small_for_the_request_is_left_out_with_the_reason() -> None:
    selection = select(sized(1000, 8000), request("x" * 8000), exchange())
    assert names(selection) == [["8000"]]
    assert selection.excluded == {"1000": "about 2004 tokens are asked for, it takes 1000"}


def test_the_answers_length_counts_as_the_request_or_the_model_says() -> None:
    assert names(select(sized(1000, 8000), request(max_tokens=900), exchange())) == [["1000", "8000"]]
    assert names(select(sized(1000, 8000), request(max_tokens=1000), exchange())) == [["8000"]]
    assert names(select(sized(1000, 8000), request(max_completion_tokens=1000), exchange())) == [["8000"]]
    hungry = Route("r", (model("a", 1000, parameters={"max_tokens": 1000}), model("b", 1000)))
    assert names(select(hungry, request(), exchange())) == [["b"]]


def test_where_none_is_large_enough_the_largest_are_tried() -> None:
    assert names(select(sized(1000, 2000, 1500), request("x" * 80_000), exchange())) == [["2000"]]


def test_an_unknown_length_takes_everything() -> None:
    assert names(select(sized(1000, 0), request("x" * 80_000), exchange())) == [["0"]]


def test_a_route_of_one_is_not_judged_by_size() -> None:
    only = model("only", 10)
    for alone in (Route.of(only), Route("r", (only,))):
        assert names(select(alone, request("x" * 8000), exchange())) == [["only"]]


def test_a_picture_counts_as_a_thousand_tokens_whatever_its_bytes() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * 400_000}}
    assert Size(request(messages=[{"role": "user", "content": [picture]}])).tokens == 1004


def test_tools_count_and_so_does_what_is_no_chat() -> None:
    tool = {"type": "function", "function": {"name": "f", "description": "d" * 4000, "parameters": {}}}
    assert 1000 < Size(request(tools=[tool])).tokens < 1100
    embedding = ChatRequest(dialect="embeddings", model="r", stream=False, fields={"input": msgspec.Raw(b'"1234567"')})
    assert Size(embedding).tokens == 3


def test_a_prompt_nobody_can_read_is_judged_by_its_bytes() -> None:
    assert Size(request(messages={"not": "a list"})).tokens == 5

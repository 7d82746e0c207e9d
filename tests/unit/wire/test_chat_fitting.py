"""A chat request as an upstream with quirks takes it."""

import json
from typing import Any

import pytest

from gateway.domain import Model, Quirks
from gateway.errors import InvalidRequest
from gateway.wire.chat import CHAT, CHAT_CLIENT

HELLO = {"role": "user", "content": "Hello"}
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
WANTS_SCHEMA = {"type": "json_schema", "json_schema": {"name": "a", "schema": SCHEMA, "strict": True}}


def sent(quirks: Quirks, **fields: Any) -> dict[str, Any]:
    body = json.dumps({"model": "m", "messages": [HELLO], **fields}).encode()
    return json.loads(raw(quirks, body))


def raw(quirks: Quirks, body: bytes) -> bytes:
    model = Model(id="1", name="m", model_id="up", base_url="https://up.example/v1", quirks=quirks)
    return CHAT.write_request(CHAT_CLIENT.read_request(body), model)


def test_a_role_is_said_in_the_upstreams_word_and_other_messages_keep_their_bytes() -> None:
    body = b'{"model":"m","messages":[{"role":"developer","content":"Be brief."}, {"role" : "user","content":1.0}]}'
    out = raw(Quirks(roles={"developer": "system"}), body)
    assert b'[{"role":"system","content":"Be brief."},{"role" : "user","content":1.0}]' in out


def test_a_role_in_the_text_of_a_message_is_no_role() -> None:
    said = {"role": "user", "content": '"developer"', "role_of": "developer"}
    assert sent(Quirks(roles={"developer": "system"}), messages=[said])["messages"] == [said]


def test_fields_of_messages_are_left_out_and_renamed() -> None:
    quirks = Quirks(
        omit=frozenset({"messages.name"}), rename={"messages.reasoning_content": "messages.reasoning", "seed": "s"}
    )
    messages = [{**HELLO, "name": "Ann"}, {"role": "assistant", "content": "Hi", "reasoning_content": "Hm."}]
    out = sent(quirks, messages=messages, name="top", seed=1)
    assert out["messages"] == [HELLO, {"role": "assistant", "content": "Hi", "reasoning": "Hm."}]
    assert (out["name"], out["s"]) == ("top", 1)


def test_a_field_goes_into_an_object_beside_what_the_client_said_there() -> None:
    quirks = Quirks(rename={"reasoning_effort": "reasoning.effort"})
    assert sent(quirks, reasoning_effort="low")["reasoning"] == {"effort": "low"}
    assert sent(quirks, reasoning_effort="low", reasoning={"max_tokens": 9})["reasoning"] == {
        "max_tokens": 9,
        "effort": "low",
    }
    own = sent(quirks, reasoning_effort="low", reasoning={"effort": "high"})
    assert (own["reasoning"], "reasoning_effort" in own) == ({"effort": "high"}, False)


@pytest.mark.parametrize(
    ("level", "asked", "passes", "words"),
    [
        ("json", WANTS_SCHEMA, {"type": "json_object"}, True),
        ("json", {"type": "json_object"}, {"type": "json_object"}, False),
        ("none", WANTS_SCHEMA, None, True),
        ("none", {"type": "json_object"}, None, True),
        ("none", {"type": "text"}, {"type": "text"}, False),
        ("schema", WANTS_SCHEMA, WANTS_SCHEMA, False),
        (None, WANTS_SCHEMA, WANTS_SCHEMA, False),
    ],
)
def test_what_an_upstream_does_not_take_of_a_format_is_asked_for_in_words(
    level: Any, asked: Any, passes: Any, words: bool
) -> None:
    out = sent(Quirks(response_format=level), response_format=asked)
    assert out.get("response_format") == passes
    assert (out["messages"] != [HELLO]) is words
    if words:
        told = out["messages"][0]["content"]
        assert (out["messages"][0]["role"], out["messages"][1:]) == ("system", [HELLO])
        assert "JSON" in told
        assert (json.dumps(SCHEMA, separators=(",", ":")) in told) is (asked is WANTS_SCHEMA)


def test_words_about_the_format_stand_behind_the_clients_own_instructions() -> None:
    system = {"role": "system", "content": "Be brief."}
    out = sent(Quirks(response_format="json"), response_format=WANTS_SCHEMA, messages=[system, HELLO])
    assert [m["role"] for m in out["messages"]] == ["system", "user"]
    assert out["messages"][0]["content"].startswith("Be brief.\n\n")


def test_several_choices_are_refused_where_the_upstream_gives_one() -> None:
    quirks = Quirks(omit=frozenset({"n"}))
    assert "n" not in sent(quirks, n=1)
    with pytest.raises(InvalidRequest) as refused:
        sent(quirks, n=2)
    assert refused.value.param == "n"


def test_lone_surrogates_survive_a_changed_message() -> None:
    body = b'{"model":"m","messages":[{"role":"developer","content":"\\ud83c"}]}'
    assert b'{"role": "system", "content": "\\ud83c"}' in raw(Quirks(roles={"developer": "system"}), body)


@pytest.mark.parametrize("messages", [b"[]", b'["developer"]', b'[null, {"role": 1}]'])
def test_messages_of_a_strange_shape_are_the_upstreams_to_refuse(messages: bytes) -> None:
    quirks = Quirks(roles={"developer": "system"}, omit=frozenset({"messages.name"}), response_format="json")
    out = json.loads(raw(quirks, b'{"model":"m","messages":' + messages + b"}"))
    assert out["messages"] == json.loads(messages)


def test_a_models_own_quirks_win_over_a_table() -> None:
    table = Quirks(
        omit=frozenset({"temperature", "user"}),
        rename={"max_tokens": "max_completion_tokens", "seed": "random_seed"},
        roles={"developer": "system"},
        response_format="json",
    )
    assert Quirks().over(table) == table
    own = Quirks(
        keep=frozenset({"temperature", "seed"}),
        omit=frozenset({"n"}),
        rename={"user": "user_id"},
        roles={"developer": "developer"},
        response_format="schema",
    )
    both = own.over(table)
    assert both.omit == {"n"}
    assert both.rename == {"max_tokens": "max_completion_tokens", "user": "user_id"}
    assert (both.roles, both.response_format) == ({"developer": "developer"}, "schema")
    assert sent(both, temperature=0.5, seed=1, user="u", max_tokens=5) == {
        "model": "up",
        "messages": [HELLO],
        "temperature": 0.5,
        "seed": 1,
        "user_id": "u",
        "max_completion_tokens": 5,
    }


def test_nothing_is_read_where_nothing_is_different() -> None:
    body = b'{"model":"m","messages":[{"role" :"developer","content":1.50}],"seed":12345678901234567890123}'
    assert raw(Quirks(), body) == body.replace(b'"m"', b'"up"', 1)

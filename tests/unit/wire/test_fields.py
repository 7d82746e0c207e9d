"""The last step of a request that is written in an upstream's own words."""

from gateway import Model
from gateway.domain import Quirks
from gateway.testing.asked import chat_request
from gateway.wire.fields import asked_model, told
from gateway.wire.json import decode_said
from gateway.wire.messages import MESSAGES

DEFAULTS = {"options": {"a": 1, "b": 2}, "c": 3}
MODEL = Model(id="1", name="m", model_id="up", base_url="")


def test_defaults_fill_objects_too_and_take_no_place() -> None:
    said = decode_said(told({"options": {"a": 9}, "d": 4}, DEFAULTS, Quirks()))
    assert said == {"options": {"a": 9, "b": 2}, "d": 4, "c": 3}
    assert decode_said(told({"options": None}, DEFAULTS, Quirks()))["options"] is None


def test_quirks_reach_into_one_object() -> None:
    quirks = Quirks(omit=frozenset({"a", "d"}), rename={"c": "see"})
    body = told({"options": {"a": 9}, "d": 4}, DEFAULTS, quirks, inner="options")
    assert decode_said(body) == {"options": {"b": 2}, "see": 3}


def test_the_model_is_the_clients_word_only_where_it_names_the_upstreams() -> None:
    asked = chat_request("name")
    assert asked_model(asked, MODEL) == "up"
    assert asked_model(asked.with_keeps_model(True), MODEL) == "name"


def test_a_translated_request_keeps_the_model_its_client_names() -> None:
    sent = decode_said(MESSAGES.write_request(chat_request("name").with_keeps_model(True), MODEL))
    assert sent["model"] == "name"

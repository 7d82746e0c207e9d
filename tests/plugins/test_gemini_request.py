"""What a client's request becomes for Gemini."""

import json
from typing import Any

import msgspec
import pytest

from gateway import InvalidRequest, Model
from gateway.domain import Quirks
from gateway.wire.chat import CHAT_CLIENT
from gateway.wire.messages import MESSAGES_CLIENT
from gateway_gemini.dialect import GEMINI
from gateway_gemini.generations import generation

USER = {"role": "user", "content": "Hi"}
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {"city": {"type": ["string", "null"]}},
    "additionalProperties": False,
}


def model(model_id: str = "gemini-3-pro", **fields: Any) -> Model:
    return Model(id="1", name="m", model_id=model_id, base_url="", **fields)


def chat(to: str = "gemini-3-pro", **fields: Any) -> dict[str, Any]:
    asked = CHAT_CLIENT.read_request(json.dumps({"model": "m", "messages": [USER], **fields}).encode())
    body: dict[str, Any] = json.loads(GEMINI.write_request(asked, model(to)))
    return body


def messages(**fields: Any) -> dict[str, Any]:
    given = {"model": "m", "max_tokens": 9, "messages": [USER], **fields}
    body: dict[str, Any] = json.loads(
        GEMINI.write_request(MESSAGES_CLIENT.read_request(json.dumps(given).encode()), model())
    )
    return body


def test_a_conversation_with_tools() -> None:
    calls = [
        {"id": f"c{n}", "type": "function", "function": {"name": name, "arguments": arguments}}
        for n, (name, arguments) in enumerate([("weather", '{"city": "Rom\\u00e9"}'), ("now", ""), ("bad", "[1")])
    ]
    turns = [
        {"role": "system", "content": "Be brief."},
        USER,
        {"role": "assistant", "content": "I look.", "tool_calls": calls},
        {"role": "tool", "tool_call_id": "c0", "content": '{"sky": "blue"}'},
        {"role": "tool", "tool_call_id": "c1", "content": "12:30"},
        {"role": "tool", "tool_call_id": "unknown", "content": "17"},
        {"role": "user", "content": "And?"},
        {"role": "system", "content": "Now in Latin."},
    ]
    body = chat("gemini-2.5-flash", messages=turns)
    assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}, {"text": "Now in Latin."}]}
    user, said, results, last = body["contents"]
    assert (user["role"], said["role"], results["role"], last["role"]) == ("user", "model", "user", "user")
    assert said["parts"] == [
        {"text": "I look."},
        {"functionCall": {"id": "c0", "name": "weather", "args": {"city": "Rom\u00e9"}}},
        {"functionCall": {"id": "c1", "name": "now", "args": {}}},
        {"functionCall": {"id": "c2", "name": "bad", "args": {"arguments": "[1"}}},
    ]
    assert [part["functionResponse"] for part in results["parts"]] == [
        {"id": "c0", "name": "weather", "response": {"sky": "blue"}},
        {"id": "c1", "name": "now", "response": {"result": "12:30"}},
        {"id": "unknown", "name": "unknown", "response": {"result": 17}},
    ]
    assert last["parts"] == [{"text": "And?"}]


def test_a_messages_client_s_results_stand_apart_from_what_the_user_says() -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}}
    call = {"type": "tool_use", "id": "t", "name": "look", "input": {"a": 1}}
    result = {"type": "tool_result", "tool_use_id": "t", "is_error": True, "content": "broke"}
    seen = {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": "here"}, image]}
    turns = [USER, {"role": "assistant", "content": [call]}, {"role": "user", "content": [result, USER_TEXT, seen]}]
    _, _, results, last = messages(messages=turns)["contents"]
    inline = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    assert [part["functionResponse"] for part in results["parts"]] == [
        {"id": "t", "name": "look", "response": {"error": "broke"}},
        {"id": "t", "name": "look", "response": {"result": "here"}, "parts": [inline]},
    ]
    assert last == {"role": "user", "parts": [{"text": "Go on."}]}


USER_TEXT = {"type": "text", "text": "Go on."}


def test_media_in_every_form() -> None:
    parts = [
        {"type": "image_url", "image_url": {"url": "data:image/webp;base64,AAAA"}},
        {"type": "image_url", "image_url": {"url": "https://a.example/i.png?x=1"}},
        {"type": "input_audio", "input_audio": {"data": "BBBB", "format": "mp3"}},
        {"type": "file", "file": {"file_data": "JVBERi0xLjQ=", "filename": "a"}},
        {"type": "file", "file": {"file_data": "data:text/plain;base64,aGk=", "filename": "a.txt"}},
        {"type": "file", "file": {"file_id": "https://generativelanguage.googleapis.com/v1beta/files/abc"}},
        {"type": "file", "file": {"file_id": "file-of-openai"}},
    ]
    assert chat(messages=[{"role": "user", "content": parts}])["contents"][0]["parts"] == [
        {"inlineData": {"mimeType": "image/webp", "data": "AAAA"}},
        {"fileData": {"mimeType": "image/png", "fileUri": "https://a.example/i.png?x=1"}},
        {"inlineData": {"mimeType": "audio/mp3", "data": "BBBB"}},
        {"inlineData": {"mimeType": "application/pdf", "data": "JVBERi0xLjQ="}},
        {"inlineData": {"mimeType": "text/plain", "data": "aGk="}},
        {"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/abc"}},
    ]


TOOLS = [{"type": "function", "function": {"name": name, "parameters": SCHEMA}} for name in ("f", "g")]


@pytest.mark.parametrize(
    ("choice", "config", "declared"),
    [
        (None, None, ["f", "g"]),
        ("auto", {"mode": "AUTO"}, ["f", "g"]),
        ("none", {"mode": "NONE"}, ["f", "g"]),
        ("required", {"mode": "ANY"}, ["f", "g"]),
        ({"type": "function", "function": {"name": "g"}}, {"mode": "ANY", "allowedFunctionNames": ["g"]}, ["f", "g"]),
        ({"mode": "required"}, {"mode": "ANY", "allowedFunctionNames": ["g"]}, ["f", "g"]),
        ({"mode": "auto"}, {"mode": "AUTO"}, ["g"]),
    ],
)
def test_which_tools_may_be_called(choice: Any, config: Any, declared: list[str]) -> None:
    if isinstance(choice, dict) and "mode" in choice:
        allowed = {**choice, "tools": [{"type": "function", "function": {"name": "g"}}]}
        choice = {"type": "allowed_tools", "allowed_tools": allowed}
    body = chat(tools=TOOLS, **({"tool_choice": choice} if choice else {}))
    (tool,) = body["tools"]
    assert [one["name"] for one in tool["functionDeclarations"]] == declared
    assert tool["functionDeclarations"][0]["parametersJsonSchema"] == SCHEMA
    assert body.get("toolConfig", {}).get("functionCallingConfig") == config


def test_settings_in_googles_words() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA, "strict": True}}
    body = chat(
        max_tokens=5, temperature=0.0, top_p=0.5, stop=["a", "b"], seed=7, n=2, logprobs=True, top_logprobs=3,
        presence_penalty=0.1, frequency_penalty=0.2, response_format=form, top_k=40, logit_bias={"1": 2},
    )  # fmt: skip
    assert body["generationConfig"] == {
        "candidateCount": 2,
        "maxOutputTokens": 5,
        "temperature": 0.0,
        "topP": 0.5,
        "stopSequences": ["a", "b"],
        "seed": 7,
        "responseMimeType": "application/json",
        "responseJsonSchema": SCHEMA,
        "responseLogprobs": True,
        "logprobs": 3,
        "topK": 40,
        "presencePenalty": 0.1,
        "frequencyPenalty": 0.2,
    }
    assert chat(response_format={"type": "json_object"})["generationConfig"] == {"responseMimeType": "application/json"}
    assert chat().keys() == {"contents"}


@pytest.mark.parametrize(
    "where", [lambda given: given, lambda g: {"google": g}, lambda g: {"extra_body": {"google": g}}]
)
def test_what_only_google_knows_goes_along(where: Any) -> None:
    safety = [{"category": "c", "threshold": "OFF"}]
    given = {"safety_settings": safety, "cached_content": "cachedContents/1", "thinking_config": {"thinking_budget": 5}}
    body = chat(**where(given))
    assert (body["safetySettings"], body["cachedContent"]) == (safety, "cachedContents/1")
    assert body["generationConfig"] == {"thinkingConfig": {"thinkingBudget": 5}}


def test_tools_that_google_runs() -> None:
    assert chat(web_search_options={})["tools"] == [{"googleSearch": {}}]
    own = chat(tools=TOOLS[:1], google={"tools": [{"codeExecution": {}}]})["tools"]
    assert [next(iter(tool)) for tool in own] == ["functionDeclarations", "codeExecution"]


@pytest.mark.parametrize(
    ("to", "asked", "config"),
    [
        ("gemini-3-pro-preview", {"reasoning_effort": "low"}, {"thinkingLevel": "low", "includeThoughts": True}),
        ("gemini-3-pro-preview", {"reasoning_effort": "medium"}, {"thinkingLevel": "high", "includeThoughts": True}),
        ("gemini-3.1-pro", {"reasoning_effort": "medium"}, {"thinkingLevel": "medium", "includeThoughts": True}),
        ("gemini-3-pro", {"reasoning_effort": "none"}, {"thinkingLevel": "low", "includeThoughts": False}),
        ("gemini-3-flash", {"reasoning_effort": "none"}, {"thinkingLevel": "minimal", "includeThoughts": False}),
        ("gemini-flash-latest", {"reasoning_effort": "xhigh"}, {"thinkingLevel": "high", "includeThoughts": True}),
        ("gemini-2.5-flash", {"reasoning_effort": "high"}, {"thinkingBudget": 24576, "includeThoughts": True}),
        ("gemini-2.5-flash", {"reasoning_effort": "none"}, {"thinkingBudget": 0, "includeThoughts": False}),
        ("gemini-2.5-pro", {"reasoning_effort": "none"}, {"thinkingBudget": 128, "includeThoughts": False}),
        ("gemini-2.5-pro", {"reasoning_effort": "max"}, {"thinkingBudget": 32768, "includeThoughts": True}),
        ("gemini-2.5-flash-lite", {"reasoning_effort": "minimal"}, {"thinkingBudget": 512, "includeThoughts": True}),
        ("gemini-2.0-flash", {"reasoning_effort": "high"}, None),
        ("gemini-2.5-flash-image", {"reasoning_effort": "high"}, None),
        ("gemma-3-27b-it", {"reasoning_effort": "high"}, None),
        ("gemini-3-pro", {}, None),
    ],
)
def test_how_much_to_think_in_the_words_of_the_generation(to: str, asked: dict[str, Any], config: Any) -> None:
    assert chat(to, **asked).get("generationConfig", {}).get("thinkingConfig") == config


@pytest.mark.parametrize(
    ("thinking", "config"),
    [
        ({"type": "enabled", "budget_tokens": 2048}, {"thinkingLevel": "low", "includeThoughts": True}),
        ({"type": "enabled", "budget_tokens": 30000}, {"thinkingLevel": "high", "includeThoughts": True}),
        ({"type": "adaptive"}, {"includeThoughts": True}),
        ({"type": "disabled"}, {"thinkingLevel": "low", "includeThoughts": False}),
    ],
)
def test_a_messages_client_thinks_in_them_too(thinking: dict[str, Any], config: Any) -> None:
    assert messages(thinking=thinking)["generationConfig"]["thinkingConfig"] == config


@pytest.mark.parametrize(
    ("to", "said", "lost"),
    [
        ("gemini-2.0-flash", {"reasoning_effort": "high"}, ("reasoning",)),
        ("gemini-2.5-flash-image", {"reasoning_effort": "low"}, ("reasoning",)),
        ("gemma-3-27b-it", {"reasoning_effort": "high"}, ("reasoning",)),
        ("gemma-3-27b-it", {"reasoning_effort": "none"}, ()),
        ("gemma-3-27b-it", {"reasoning_effort": "low", "thinking_config": {"include_thoughts": True}}, ()),
        ("gemma-3-27b-it", {}, ()),
        ("gemini-2.5-flash", {"reasoning_effort": "high"}, ()),
    ],
)
def test_thinking_that_a_model_cannot_be_told_of_is_named(to: str, said: dict[str, Any], lost: tuple[str, ...]) -> None:
    asked = CHAT_CLIENT.read_request(json.dumps({"model": "m", "messages": [USER], **said}).encode())
    GEMINI.write_request(asked, model(to))
    assert asked.lost == lost


@pytest.mark.parametrize(
    "asked",
    [
        {"modalities": ["text", "audio"]},
        {"previous_response_id": "r"},
        {"tools": [{"type": "custom", "custom": {"name": "free"}}]},
    ],
)
def test_what_would_change_the_meaning_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest):
        chat(**asked)


def test_instructions_alone_are_something_to_answer() -> None:
    body = chat(messages=[{"role": "system", "content": "Say hello."}])
    assert body == {"contents": [{"role": "user", "parts": [{"text": "Say hello."}]}]}


def test_halves_of_surrogate_pairs_are_sent_as_they_were() -> None:
    asked = CHAT_CLIENT.read_request(b'{"model":"m","messages":[{"role":"user","content":"a\\ud83d"}]}')
    assert b"a\\ud83d" in GEMINI.write_request(asked, model())


@pytest.mark.parametrize(
    ("model_id", "version", "kind"),
    [
        ("gemini-2.5-flash-lite-preview-06-17", (2, 5), "flash-lite"),
        ("google/gemini-3.1-pro-preview", (3, 1), "pro"),
        ("gemini-3-ultra", (3, 0), "ultra"),
        ("gemini-flash-lite-latest", (99, 0), "flash-lite"),
        ("gemini-1.5-pro-002", (1, 5), "pro"),
    ],
)
def test_the_generation_is_told_by_the_id(model_id: str, version: tuple[int, int], kind: str) -> None:
    assert generation(model_id) == (version, kind)


@pytest.mark.parametrize("model_id", ["gemma-3", "gemini-robotics-er-1.5", "endpoints/123", "learnlm-2.0"])
def test_other_models_take_no_word_about_thinking(model_id: str) -> None:
    assert generation(model_id) is None


def test_what_has_no_place_is_named() -> None:
    said = {"logit_bias": {}, "parallel_tool_calls": False, "top_k": 3, "frequency_penalty": 1, "seed": 1}
    turns = [{"role": "user", "content": "Hi", "name": "Ann"}]
    given = json.dumps({"model": "m", "messages": turns, "temperature": 0, **said}).encode()
    asked = CHAT_CLIENT.read_request(given)
    GEMINI.write_request(asked, model(quirks=Quirks(omit=frozenset({"temperature"}))))
    assert set(asked.lost) == {"logit_bias", "parallel_tools", "name", "temperature"}
    with pytest.raises(InvalidRequest, match="logit_bias"):
        GEMINI.write_request(msgspec.structs.replace(CHAT_CLIENT.read_request(given), strict=True), model())

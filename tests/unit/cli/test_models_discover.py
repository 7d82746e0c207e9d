"""`gateway models discover`: every way upstreams say what they have, and rows for it."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.testing.upstream import Behaviour, Ending, ScriptedUpstream, reply

OPENAI = {"object": "list", "data": [{"id": "b", "object": "model"}, {"id": "a", "object": "model"}, {"id": "a"}]}
OPENROUTER = {
    "data": [
        {
            "id": "openai/gpt-4o",
            "context_length": 128000,
            "pricing": {"prompt": "0.0000025", "completion": "0.00001", "input_cache_read": "0.00000125"},
        },
        {"id": "openrouter/auto", "context_length": 2000000, "pricing": {"prompt": "-1", "completion": "-1"}},
    ]
}
LLAMA_CPP = {"models": [{"name": "x.gguf"}], "data": [{"id": "x.gguf", "meta": {"n_ctx": 8192, "n_ctx_train": 32768}}]}
LM_STUDIO = {"data": [{"id": "qwen", "max_context_length": 32768}, {"id": 7}, "odd", {"id": "bad\nname"}]}
VLLM = {"data": [{"id": "m", "max_model_len": 4096}]}
TAGS = {"models": [{"name": "llama3:8b", "model": "llama3:8b", "size": 1}]}
GEMINI = {"models": [{"name": "models/gemini-2.5-pro", "inputTokenLimit": 1048576}]}


def answer(value: object) -> Behaviour:
    return reply(200, json.dumps(value).encode())


async def discover(tmp_path: Path, url: str, *arguments: str, code: int = 0, allow: bool = True) -> Result:
    environ = {"GATEWAY_DATA_DIR": str(tmp_path), "KEY": "sk-canary"}
    if allow:
        environ["GATEWAY_EGRESS__ALLOW"] = '["127.0.0.1"]'
    command = ["models", "discover", "--base-url", url, *arguments]
    result = await asyncio.to_thread(CliRunner().invoke, main, command, env=environ)
    assert result.exit_code == code, result.output
    assert "canary" not in result.output
    return result


async def listed(tmp_path: Path, url: str, *arguments: str) -> list[tuple[Any, ...]]:
    told = json.loads((await discover(tmp_path, url, *arguments, "--json")).stdout)
    return [(one["state"], one["model"]["id"], one["model"]["context_length"]) for one in told["models"]]


@pytest.mark.parametrize(
    ("said", "models"),
    [
        (OPENAI, [("new", "a", None), ("new", "b", None)]),
        (OPENROUTER, [("new", "openai/gpt-4o", 128000), ("new", "openrouter/auto", 2000000)]),
        (LLAMA_CPP, [("new", "x.gguf", 8192)]),
        (LM_STUDIO, [("new", "qwen", 32768)]),
        (VLLM, [("new", "m", 4096)]),
        (GEMINI, [("new", "gemini-2.5-pro", 1048576)]),
        ([{"id": "bare", "context_length": 1}], [("new", "bare", 1)]),
    ],
)
async def test_every_way_of_listing_is_read(tmp_path: Path, said: object, models: list[tuple[Any, ...]]) -> None:
    async with ScriptedUpstream() as upstream:
        assert await listed(tmp_path, upstream.play("u", answer(said))) == models
        assert [seen.request.target for seen in upstream.seen("u")] == ["/u/v1/models"]


async def test_ollamas_own_listing_is_asked_last(tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream:
        url = upstream.play("o", reply(404), reply(404), answer(TAGS)).removesuffix("/v1")
        told = json.loads((await discover(tmp_path, url, "--json")).stdout)
        targets = [seen.request.target for seen in upstream.seen("o")]
    assert targets == ["/o/models", "/o/v1/models", "/o/api/tags"]
    assert told["base_url"] == f"{url}/v1"
    assert told["models"][0]["model"]["id"] == "llama3:8b"


@pytest.mark.parametrize(
    ("answers", "given", "provider"),
    [
        ((reply(404), reply(404), answer(TAGS)), (), "ollama"),
        ((reply(404), reply(404), answer(TAGS)), ("--provider", "openai"), "openai"),
        ((reply(404), answer(OPENAI)), (), "openai"),
    ],
)
async def test_what_only_ollama_lists_is_asked_by_its_provider(
    tmp_path: Path, answers: tuple[Behaviour, ...], given: tuple[str, ...], provider: str
) -> None:
    async with ScriptedUpstream() as upstream:
        await discover(tmp_path, upstream.play("o", *answers).removesuffix("/v1"), *given, "--add")
    environ = {"GATEWAY_DATA_DIR": str(tmp_path)}
    shown = await asyncio.to_thread(CliRunner().invoke, main, ["models", "list", "--json"], env=environ)
    assert {model["provider"] for model in json.loads(shown.stdout)} == {provider}


async def test_models_are_added_once_with_what_is_said_of_them(tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream:
        url = upstream.play("r", answer(OPENROUTER))
        given = ("--api-key-env", "KEY", "--prefix", "or-", "--only", "openai/*", "--add")
        first = await listed(tmp_path, url, *given)
        second = await listed(tmp_path, url, *given)
        assert {seen.request.header("authorization") for seen in upstream.seen("r")} == {"Bearer sk-canary"}
    assert first == [("added", "openai/gpt-4o", 128000)]
    assert second == [("known", "openai/gpt-4o", 128000)]
    environ = {"GATEWAY_DATA_DIR": str(tmp_path)}
    shown = await asyncio.to_thread(CliRunner().invoke, main, ["models", "list", "--json"], env=environ)
    [model] = json.loads(shown.stdout)
    assert (model["name"], model["base_url"], model["context_length"]) == ("or-openai/gpt-4o", url, 128000)
    assert model["prices"] == {"input": 2.5, "output": 10.0, "cache_read": 1.25}
    assert model["has_api_key"]


async def test_a_makers_key_goes_the_makers_way(tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream:
        url = upstream.play("a", answer(OPENAI))
        await discover(tmp_path, url, "--provider", "anthropic", "--api-key", "{env=KEY}")
        [seen] = upstream.seen("a")
    assert seen.request.header("x-api-key") == "sk-canary"
    assert seen.request.header("authorization") is None


async def test_a_private_address_is_refused_with_the_setting_that_allows_it(tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream:
        refused = await discover(tmp_path, upstream.play("u", answer(OPENAI)), code=1, allow=False)
        assert upstream.seen("u") == []
    assert "GATEWAY_EGRESS__ALLOW" in refused.stderr


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (reply(401), "refuses the key (401)"),
        (reply(200, b"<html>"), "answers no list of models"),
        (reply(500), "/models 500"),
        (answer({"data": {}}), "answers no list of models"),
        (reply(302, headers={"location": "http://127.0.0.1/"}), "redirect"),
        (Behaviour(status=None, ending=Ending.RESET), "cannot be asked"),
    ],
)
async def test_an_upstream_that_lists_nothing_is_told_in_words(
    tmp_path: Path, behaviour: Behaviour, words: str
) -> None:
    async with ScriptedUpstream() as upstream:
        assert words in (await discover(tmp_path, upstream.play("u", behaviour), code=1)).stderr

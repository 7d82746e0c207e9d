"""A LiteLLM configuration moves into a running gateway, and each of its models answers."""

import json

import msgspec

import gateway_cohere.conformance
import gateway_gemini.conformance
import gateway_ollama.conformance
from gateway.testing.canned import Canned
from gateway.testing.canned_messages import end, start, text
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, chat_events, stream

CHAT = stream(*chat_events("Hello there, world."), pause=0)
MESSAGES = stream(start(input_tokens=11), *text("Hello there, world."), *end(), pause=0)
CONFIG = """
model_list:
- {{model_name: openai, litellm_params: {{model: openai/up, api_base: "{origin}/openai/v1", {said}}}}}
- {{model_name: anthropic, litellm_params: {{model: anthropic/claude-x, api_base: "{origin}/anthropic", {said}}}}}
- {{model_name: azure, litellm_params: {{model: azure/up, api_base: "{origin}/azure", api_version: "2024-10", {said}}}}}
- {{model_name: gemini, litellm_params: {{model: gemini/gemini-up, api_base: "{origin}/gemini", {said}}}}}
- {{model_name: ollama, litellm_params: {{model: ollama_chat/up, api_base: "{origin}/ollama", num_ctx: 4096, {said}}}}}
- {{model_name: cohere, litellm_params: {{model: cohere_chat/up, api_base: "{origin}/cohere", {said}}}}}
router_settings: {{fallbacks: [{{cohere: [openai]}}]}}
"""
SAID = "api_key: sk-canary, max_tokens: 9"
GEMINI = "/gemini/v1beta/models/gemini-up:streamGenerateContent?alt=sse"
ASKED = {
    "openai": ("/openai/v1/chat/completions", {"model": "up", "max_tokens": 9}),
    "anthropic": ("/anthropic/v1/messages", {"model": "claude-x", "max_tokens": 9}),
    "azure": ("/azure/openai/deployments/up/chat/completions?api-version=2024-10", {"max_tokens": 9}),
    "gemini": (GEMINI, {"generationConfig": {"maxOutputTokens": 9}}),
    "ollama": ("/ollama/api/chat", {"model": "up", "options": {"num_predict": 9, "num_ctx": 4096}}),
    "cohere": ("/cohere/v2/chat", {"model": "up", "max_tokens": 9}),
}  # fmt: skip


def canned(conformance):
    return msgspec.convert(conformance["answers"]["text"], Canned).behaviour()


async def test_every_model_of_an_imported_configuration_answers(tmp_path):
    async with ScriptedUpstream() as upstream:
        for name, behaviour in {
            "openai": CHAT,
            "anthropic": MESSAGES,
            "azure": CHAT,
            "gemini": canned(gateway_gemini.conformance.CONFORMANCE),
            "ollama": canned(gateway_ollama.conformance.CONFORMANCE),
            "cohere": canned(gateway_cohere.conformance.CONFORMANCE),
        }.items():
            upstream.play(name, behaviour)
        config = tmp_path / "config.yaml"
        config.write_text(CONFIG.format(origin=upstream.origin, said=SAID))
        environ = {"GATEWAY_EGRESS__ALLOW": f'["127.0.0.1:{upstream.port}"]'}
        async with RunningGateway(tmp_path / "data", environ=environ) as gateway:
            key = json.loads(await gateway.command("keys", "create", "one", "--json"))["secret"]
            told = await gateway.command("import", "litellm", str(config), "--json")
            assert json.loads(told)["counts"]["added"] == 7
            assert "canary" not in told
            for name, (target, fields) in ASKED.items():
                answer = await asked(gateway, key, name)
                assert (answer.status, name) == (200, name), answer.body
                assert "".join(contents(answer.body)) == "Hello there, world."
                [seen] = upstream.seen(name)
                sent = json.loads(seen.request.body)
                assert (seen.request.target, {field: sent.get(field) for field in fields}) == (target, fields)


async def asked(gateway, key, model):
    """A running gateway hears of an import within two seconds; until then it knows neither key nor model."""
    body = json.dumps({"model": model, "stream": True, "messages": [{"role": "user", "content": "Hi"}]}).encode()
    headers = [("authorization", f"Bearer {key}")]
    while True:
        sending = await gateway.client.send("POST", "/v1/chat/completions", headers=headers, body=body)
        answer = await sending.finish()
        if answer.status not in (401, 404):
            return answer


def contents(body):
    for line in body.decode().splitlines():
        if line.startswith("data: {"):
            yield from (choice["delta"].get("content") or "" for choice in json.loads(line[6:])["choices"])

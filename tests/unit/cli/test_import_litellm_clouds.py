"""`gateway import litellm`: Azure, Vertex AI, Bedrock and the upstreams with words of their own."""

import json
from typing import Any

import pytest

from gateway.cli.importing.litellm.deployments import Around
from gateway.cli.importing.litellm.document import parse
from gateway.cli.importing.litellm.notes import Level
from gateway.cli.importing.litellm.plan import make_plan
from gateway.registry.references import KeyReference
from gateway.secrets import Secret

PROVIDERS = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "azure": "",
    "bedrock": "",
    "cohere": "https://api.cohere.com",
    "gemini": "https://generativelanguage.googleapis.com/v1beta",
    "ollama": "http://localhost:11434",
    "vertex": "https://aiplatform.googleapis.com",
}
RESOURCE = "https://contoso.openai.azure.com"
DEPLOYED = f"{RESOURCE}/openai/deployments/d"
FOUNDRY = "https://r.services.ai.azure.com"
SERVERLESS = "https://m.eastus.models.ai.azure.com/v1"
GOOGLE = "aiplatform.googleapis.com"
PROJECT = {"vertex_project": "p"}
FILE = {"type": "service_account", "private_key": "canary"}
ACCESS_KEY = {"aws_access_key_id": "AKIA", "aws_secret_access_key": "canary", "aws_region_name": "eu-west-1"}


class Imported:
    """One deployment, imported."""

    def __init__(self, model: str, params: dict[str, Any], environ: dict[str, str], providers: Any = PROVIDERS) -> None:
        config = {"model_list": [{"model_name": "m", "litellm_params": {"model": model, **params}}]}
        around = Around(providers=providers, denied=lambda url: None, environ=environ)
        plan = make_plan([parse(json.dumps(config))], around)
        self.columns = plan.deployments[0].columns
        notes = plan.notes.all()
        self.levels = {note.path.removeprefix("model_list[0].litellm_params."): note.level for note in notes}
        self.words = {note.path.removeprefix("model_list[0].litellm_params."): note.message for note in notes}
        assert "canary" not in json.dumps(list(self.words.items()))

    def __getitem__(self, column: str) -> Any:
        assert self.columns is not None, self.words
        return self.columns[column]


def imported(model: str, *, environ: dict[str, str] | None = None, **params: Any) -> Imported:
    return Imported(model, params, environ or {})


@pytest.mark.parametrize(
    ("api_base", "version", "base_url"),
    [
        (RESOURCE, "2024-10-21", f"{RESOURCE}?api-version=2024-10-21"),
        (f"{RESOURCE}/", "v1", f"{RESOURCE}/openai/v1"),
        (f"{RESOURCE}/openai/v1/", "preview", f"{RESOURCE}/openai/v1"),
        (DEPLOYED, "2024-10-21", f"{DEPLOYED}?api-version=2024-10-21"),
        (f"{DEPLOYED}/chat/completions?api-version=7", "1", f"{DEPLOYED}?api-version=7"),
        ("https://apim.example/azure", "2024-10-21", "https://apim.example/azure?api-version=2024-10-21"),
    ],
)
def test_azure_is_asked_with_the_version_that_is_said(api_base: str, version: str, base_url: str) -> None:
    found = imported("azure/d", api_base=api_base, api_version=version, api_key="k")
    assert (found["base_url"], found["provider"], found["model_id"]) == (base_url, "azure", "d")
    assert (found.levels["api_version"], found.levels["api_base"]) == (Level.EXACT, Level.EXACT)


def test_azure_without_a_version_is_told_and_so_is_one_that_is_not_sent() -> None:
    found = imported("azure/d", api_base=RESOURCE)
    assert found["base_url"] == f"{RESOURCE}/openai/v1"
    assert found.levels["api_base"] is Level.APPROXIMATE
    only = {"openai": PROVIDERS["openai"]}
    other = Imported("azure/d", {"api_base": RESOURCE, "api_version": "2024-10-21"}, {}, only)
    assert (other["provider"], other["base_url"]) == ("openai", f"{RESOURCE}/openai/v1")
    assert other.levels["api_version"] is Level.APPROXIMATE


@pytest.mark.parametrize(
    ("model", "api_base", "provider", "base_url"),
    [
        ("azure_ai/grok-4", FOUNDRY, "azure", f"{FOUNDRY}/models?api-version=2"),
        ("azure_ai/claude-opus-4-5", f"{FOUNDRY}/anthropic", "anthropic", f"{FOUNDRY}/anthropic/v1"),
        ("azure_ai/mistral", SERVERLESS, "openai", SERVERLESS),
    ],
)
def test_models_of_a_foundry_are_asked_where_each_is(model: str, api_base: str, provider: str, base_url: str) -> None:
    found = imported(model, api_base=api_base, api_version="2", api_key="k")
    assert (found["provider"], found["base_url"]) == (provider, base_url)


def test_an_application_of_entra_is_the_key_or_one_is_told_what_to_write() -> None:
    said = {"tenant_id": "t", "client_id": "c", "client_secret": "canary"}
    found = imported("azure/d", api_base=RESOURCE, **said)
    assert json.loads(found["api_key"].reveal()) == said
    assert {found.levels[name] for name in said} == {Level.EXACT}
    referred = imported("azure/d", api_base=RESOURCE, **{**said, "client_secret": "os.environ/AZURE_SECRET"})
    assert referred["api_key"] is None
    assert {referred.levels[name] for name in said} == {Level.MANUAL}
    assert 'client_secret = {env = "AZURE_SECRET"}' in referred.words["client_secret"]


@pytest.mark.parametrize(
    ("location", "base_url"),
    [
        ({"vertex_location": "europe-west4"}, f"https://europe-west4-{GOOGLE}/v1/projects/p/locations/europe-west4"),
        ({"vertex_location": "global"}, f"https://{GOOGLE}/v1/projects/p/locations/global"),
        ({"vertex_location": "eu"}, "https://aiplatform.eu.rep.googleapis.com/v1/projects/p/locations/eu"),
        ({}, f"https://us-central1-{GOOGLE}/v1/projects/p/locations/us-central1"),
    ],
)
def test_vertex_is_asked_in_its_project_and_location(location: dict[str, str], base_url: str) -> None:
    found = imported("vertex_ai/gemini-3-pro", **PROJECT, **location, vertex_credentials=FILE)
    assert (found["provider"], found["model_id"], found["base_url"]) == ("vertex", "gemini-3-pro", base_url)
    assert {found.levels[name] for name in ("model", "vertex_project", *location)} == {Level.EXACT}


@pytest.mark.parametrize(
    ("said", "environ", "key", "level"),
    [
        (FILE, {}, Secret('{"type":"service_account","private_key":"canary"}'), Level.EXACT),
        (json.dumps(FILE, indent=1), {}, Secret('{"type":"service_account","private_key":"canary"}'), Level.EXACT),
        ("/etc/google.json", {}, KeyReference("file", "/etc/google.json"), Level.EXACT),
        ("os.environ/V", {"V": '{"private_key": "canary"}'}, KeyReference("env", "V"), Level.EXACT),
        ("os.environ/V", {"V": "/etc/google.json"}, KeyReference("file", "/etc/google.json"), Level.APPROXIMATE),
        ("os.environ/V", {}, None, Level.MANUAL),
        ("{canary", {}, None, Level.MANUAL),
    ],
)
def test_googles_credential_file_is_the_key(said: Any, environ: dict[str, str], key: Any, level: Level) -> None:
    found = imported("vertex_ai/claude-opus-4-5", environ=environ, **PROJECT, vertex_credentials=said)
    assert found["api_key"] == key
    assert found.levels["vertex_credentials"] is level


def test_credentials_of_the_surroundings_have_to_be_given() -> None:
    google = imported("vertex_ai/gemini-3-pro", **PROJECT)
    assert (google["api_key"], google.levels["model"]) == (None, Level.MANUAL)
    assert "{file=PATH}" in google.words["model"]
    here = imported("vertex_ai/gemini-3-pro", environ={"GOOGLE_APPLICATION_CREDENTIALS": "/g.json"}, **PROJECT)
    assert (here["api_key"], here.levels["model"]) == (KeyReference("file", "/g.json"), Level.EXACT)
    amazon = imported("bedrock/amazon.nova-pro-v1:0", aws_region_name="eu-west-1")
    assert amazon["api_key"] == KeyReference("env", "AWS_BEARER_TOKEN_BEDROCK")
    assert amazon.levels["model"] is Level.MANUAL


@pytest.mark.parametrize(
    ("model", "name"),
    [("vertex_ai/123", "endpoints/123"), ("vertex_ai/gemini/123", "endpoints/123"), ("vertex_ai/meta/llama", None)],
)
def test_tuned_models_are_endpoints_and_what_vertex_does_not_ask_is_told(model: str, name: str | None) -> None:
    found = imported(model, **PROJECT, vertex_credentials=FILE)
    assert (found.columns or {}).get("model_id") == name
    assert found.levels["model"] is (Level.EXACT if name else Level.MANUAL)


def test_an_odd_location_makes_no_address() -> None:
    found = imported("vertex_ai/gemini-3-pro", **PROJECT, vertex_location="evil.example/x?", vertex_credentials=FILE)
    assert found.levels["vertex_location"] is Level.UNSUPPORTED
    assert found["base_url"] == f"https://{GOOGLE}"


def test_bedrocks_region_and_names() -> None:
    found = imported("bedrock/converse/us.amazon.nova-pro-v1:0", **ACCESS_KEY)
    assert found["base_url"] == "https://bedrock-runtime.eu-west-1.amazonaws.com"
    assert (found["model_id"], found["api_key"]) == ("us.amazon.nova-pro-v1:0", Secret("AKIA:canary"))
    old = imported("bedrock/us-west-2/anthropic.claude-v2", api_key="k")
    assert (old["base_url"], old["model_id"]) == (
        "https://bedrock-runtime.us-west-2.amazonaws.com",
        "anthropic.claude-v2",
    )
    arn = imported("bedrock/anthropic.claude-v2", model_id="arn:aws:bedrock:x", **ACCESS_KEY)
    assert arn["model_id"] == "arn:aws:bedrock:x"
    vpc = imported("bedrock/amazon.nova", aws_bedrock_runtime_endpoint="https://vpce.example", **ACCESS_KEY)
    assert vpc["base_url"] == "https://vpce.example"
    assert json.loads(vpc["api_key"].reveal())["region"] == "eu-west-1"
    lost = imported("bedrock/amazon.nova", api_key="k")
    assert lost.columns is None
    assert "aws_region_name" in lost.words["model"]


def test_an_access_key_in_two_variables_has_to_be_put_into_one() -> None:
    halves = {"aws_access_key_id": "os.environ/A", "aws_secret_access_key": "os.environ/B"}
    found = imported("bedrock/amazon.nova", **{**ACCESS_KEY, **halves})
    assert found["api_key"] is None
    assert 'BEDROCK_KEY="$A:$B"' in found.words["aws_access_key_id"]
    assert "--api-key '{env=BEDROCK_KEY}'" in found.words["aws_secret_access_key"]


CONVERSE = {"temperature": 0.5, "maxTokens": 9, "stopSequences": ["x"]}
SAID = {"temperature": 0.5, "max_tokens": 9, "stop": "x"}


@pytest.mark.parametrize(
    ("model", "more", "parameters"),
    [
        ("gemini/gemini-3-flash", {}, {"temperature": 0.5, "maxOutputTokens": 9, "stopSequences": ["x"]}),
        ("vertex_ai/gemini-3-pro", PROJECT, {"temperature": 0.5, "maxOutputTokens": 9, "stopSequences": ["x"]}),
        ("vertex_ai/claude-opus-4-5", PROJECT, {"temperature": 0.5, "max_tokens": 9, "stop_sequences": ["x"]}),
        ("anthropic/claude-opus-4-5", {}, {"temperature": 0.5, "max_tokens": 9, "stop_sequences": ["x"]}),
        ("cohere_chat/command-r", {}, {"temperature": 0.5, "max_tokens": 9, "stop_sequences": ["x"]}),
        ("ollama_chat/qwen3:8b", {}, {"temperature": 0.5, "num_predict": 9, "stop": "x"}),
        ("bedrock/amazon.nova", ACCESS_KEY, {"inferenceConfig": CONVERSE}),
        ("azure/d", {"api_base": RESOURCE}, SAID),
    ],
)
def test_parameters_are_in_the_words_of_whoever_is_asked(model: str, more: Any, parameters: Any) -> None:
    found = imported(model, **SAID, **more)
    assert found["parameters"] == parameters
    assert {found.levels[name] for name in SAID} == {Level.EXACT}


def test_a_word_that_the_upstream_does_not_have_is_told() -> None:
    found = imported("gemini/gemini-3-flash", response_format={"type": "json_object"}, extra_body={"topK": 4})
    assert found["parameters"] == {"topK": 4}
    assert found.levels["response_format"] is Level.MANUAL
    assert "docs/gemini.md" in found.words["response_format"]

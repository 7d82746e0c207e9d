"""The examples, installed as a third party's distributions and switched by settings alone."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from seeding import seed

from gateway import End, Failure, Opaque, Text
from gateway.registry import NewModel
from gateway.secrets import Secret
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import ScriptedUpstream, chat_events, reply, stream

EXAMPLES = Path(__file__).parent.parent.parent / "examples"
MODEL_ID = "00000000-0000-4000-8000-000000000001"


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A directory with all distributions, as pip installs them."""
    work = tmp_path_factory.mktemp("examples")
    sources = [shutil.copytree(path.parent, work / path.parent.name) for path in EXAMPLES.glob("*/pyproject.toml")]
    pip = (sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    offline = ("--no-index", "--no-deps", "--no-build-isolation")
    subprocess.run([*pip, *offline, "--target", work / "site", *sources], check=True, timeout=100)
    return work / "site"


@pytest.fixture
async def upstream() -> AsyncIterator[ScriptedUpstream]:
    async with ScriptedUpstream() as server:
        yield server


@asynccontextmanager
async def gateway(
    data_dir: Path, site: Path, *models: NewModel, arguments: tuple[str, ...] = (), **environ: str
) -> AsyncIterator[RunningGateway]:
    basic = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]', "GATEWAY_PLUGINS__CHATBOT_UI__OPEN_ROUTE": "true"}
    environ = {**basic, **environ}
    await seed(data_dir, basic, models=models)
    async with RunningGateway(data_dir, environ={**environ, "PYTHONPATH": str(site)}, arguments=arguments) as running:
        yield running


def model(base_url: str, **fields: str) -> NewModel:
    return NewModel(id=MODEL_ID, name="Example", model_id="m", base_url=base_url, api_key=Secret("acme-1"), **fields)


def enabled(name: str, **settings: str) -> Mapping[str, str]:
    prefix = f"GATEWAY_PLUGINS__{name}__"
    return {f"{prefix}ENABLED": "true", **{f"{prefix}{key}": value for key, value in settings.items()}}


async def test_installed_is_not_enabled(tmp_path, site, upstream):
    async with gateway(tmp_path, site, model(upstream.play("case"), provider="acme")) as running:
        response = await running.client.chat(MODEL_ID)
    assert (response.status, response.json()) == (503, {"message": 'No enabled plugin provides "acme".'})
    assert upstream.seen("case") == []


async def test_the_toml_lookup_stands_in_for_the_registry(tmp_path, site, upstream):
    base_url = upstream.play("case", stream(*chat_events("from", " toml")))
    file = tmp_path / "models.toml"
    file.write_text(
        f'[models."{MODEL_ID}"]\nname = "Toml"\nbase_url = "{base_url}"\nmodel_id = "m"\napi_key = "toml-key"\n'
    )
    switched = enabled("TOML_LOOKUP", FILE=str(file)) | {"GATEWAY_PLUGINS__REGISTRY__ENABLED": "false"}
    elsewhere = upstream.play("elsewhere")
    async with gateway(tmp_path, site, model(elsewhere), **switched) as running:
        answered = await running.client.chat(MODEL_ID)
        unknown = await running.client.chat(MODEL_ID.replace("1", "2"))
    assert (answered.status, answered.body, answered.complete) == (200, b"from toml", True)
    assert upstream.seen("case")[0].request.header("authorization") == "Bearer toml-key"
    assert (unknown.status, list(unknown.json())) == (500, ["message"])
    assert upstream.seen("elsewhere") == []


async def test_the_toml_lookups_page_answers_by_name_and_by_id_and_lists_nothing(tmp_path, site, upstream):
    page = (EXAMPLES / "gateway-toml-lookup/README.md").read_text("utf-8")
    elsewhere = upstream.play("case", stream(*chat_events("from", " toml"))).removeprefix("http://")
    for name, text in re.findall(r"^`(\w+\.toml)`:\n\n```toml\n(.*?)^```", page, re.M | re.S):
        host, _, path = elsewhere.partition("/")
        text = text.replace("127.0.0.1:11434/v1", f"{host}/{path}").replace("127.0.0.1:11434", host)
        (tmp_path / name).write_text(text)
    keys = await seed(tmp_path, {}, keys={"me": None})
    bearer = [("authorization", f"Bearer {keys['me']}")]
    messages = [{"role": "user", "content": "Hello"}]
    answers = []
    async with RunningGateway(tmp_path, environ={"PYTHONPATH": str(site)}) as running:
        for name in ("Local", "11111111-1111-4111-8111-111111111111", "Lokal"):
            body = json.dumps({"model": name, "messages": messages}).encode()
            answers.append(await running.client.request("POST", "/v1/chat/completions", headers=bearer, body=body))
        listed = await running.client.request("GET", "/v1/models", headers=bearer)
    assert [answer.status for answer in answers] == [200, 200, 404], [answer.body for answer in answers]
    assert listed.json()["data"] == []


async def test_the_toml_lookup_refuses_a_file_in_which_two_models_share_a_name(tmp_path, site):
    file = tmp_path / "models.toml"
    entry = 'name = "Local"\nbase_url = "https://a.example"\nmodel_id = "m"\n'
    file.write_text(f"[models.one]\n{entry}[models.two]\n{entry}")
    with pytest.raises(RuntimeError, match="two models are called 'Local'"):
        async with gateway(tmp_path, site, **enabled("TOML_LOOKUP", FILE=str(file))):
            pass


async def test_the_toml_lookup_refuses_to_start_on_a_broken_file(tmp_path, site):
    file = tmp_path / "models.toml"
    file.write_text("models = 3\n")
    with pytest.raises(RuntimeError, match="toml_lookup") as refused:
        async with gateway(tmp_path, site, **enabled("TOML_LOOKUP", FILE=str(file))):
            pass
    assert "Traceback" not in str(refused.value)


async def test_the_acme_provider_answers_for_its_models(tmp_path, site, upstream):
    lines = (b'{"word": "Hello"}\n{"word": " th', b'ere"}\n', b'{"over": true}\n')
    base_url = upstream.play("case", stream(*lines))
    async with gateway(tmp_path, site, model(base_url, provider="acme"), **enabled("ACME_PROVIDER")) as running:
        response = await running.client.chat(MODEL_ID, "who is there?")
    assert (response.status, response.body, response.complete) == (200, b"Hello there", True)
    [seen] = upstream.seen("case")
    assert (seen.request.target, seen.request.header("x-acme-key")) == ("/case/v1/say", "acme-1")
    assert seen.request.json() == {"prompt": "who is there?"}


async def test_the_acme_providers_failures_are_told(tmp_path, site, upstream):
    refusing = upstream.play("refusing", reply(418, b"teapot"))
    cut = upstream.play("cut", stream(b'{"word": "Hel"}\n', ending="reset"))
    models = (
        model(refusing, provider="acme"),
        NewModel(id=MODEL_ID.replace("1", "2"), name="Cut", model_id="m", base_url=cut, provider="acme"),
    )
    async with gateway(tmp_path, site, *models, **enabled("ACME_PROVIDER")) as running:
        refused = await running.client.chat(MODEL_ID)
        broken = await running.client.chat(MODEL_ID.replace("1", "2"))
    assert (refused.status, refused.json()) == (418, {"message": "418 teapot"})
    assert (broken.status, broken.body, broken.complete) == (200, b"Hel", False)


async def test_the_friendly_mapper_words_its_statuses_and_no_others(tmp_path, site, upstream):
    busy = upstream.play("case", reply(429, b'{"error":{"message":"x"}}'), reply(402, b'{"error":{"message":"y"}}'))
    words = enabled("FRIENDLY_ERRORS", MESSAGES='{"429": "Busy, dear.", "402": "Pay, please."}')
    async with gateway(tmp_path, site, model(busy), **words) as running:
        response = await running.client.chat(MODEL_ID)
        assert (response.status, response.json()) == (402, {"message": "Pay, please."})
        assert len(upstream.seen("case")) == 2, "a 429 is still tried again"
        upstream.play("case", reply(400, b'{"error":{"message":"z"}}'))
        assert (await running.client.chat(MODEL_ID)).json() == {"message": "400 z"}


async def test_a_plugin_in_a_single_file_is_named_on_the_command_line(tmp_path, upstream):
    base_url = upstream.play("case", stream(*chat_events("in")))
    file = ("--plugin", str(EXAMPLES / "static_token.py"))
    environ = {
        "GATEWAY_PLUGINS__CHATBOT_UI__OPEN_ROUTE": "false",
        "GATEWAY_PLUGINS__STATIC_TOKEN__TOKEN": "a long random text",
    }
    async with gateway(tmp_path, tmp_path, model(base_url), arguments=file, **environ) as running:
        known = await running.client.chat(MODEL_ID, key="a long random text")
        unknown = await running.client.chat(MODEL_ID, key="another text")
    assert (known.status, known.body) == (200, b"in")
    assert unknown.status == 401


async def test_the_masker_masks_what_the_upstream_cut_in_two_and_lets_the_rest_stream(tmp_path, site, upstream):
    said = ("Write to anna@exam", "ple.org, or", " pay with 4111 11", "11 1111 1111 today")
    base_url = upstream.play("case", stream(*chat_events(*said)))
    async with gateway(tmp_path, site, model(base_url), **enabled("PII_MASKER", MASK="***")) as running:
        response = await running.client.chat(MODEL_ID)
    assert (response.status, response.body) == (200, b"Write to ***, or pay with *** today")


def test_the_masker_gives_the_same_wherever_the_text_is_cut():
    spec = importlib.util.spec_from_file_location(
        "pii_masker_example", EXAMPLES / "gateway-pii-masker/gateway_pii_masker.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    whole = "To b.c+d@x-y.co.uk. 12 is no card; 4111-1111-1111-1111 is, a@b is none"
    expected = "To ***. 12 is no card; *** is, a@b is none"
    for cut in range(1, len(whole)):
        for ending in (End(), Failure(code="timeout", message="Gone.")):
            step = module.PiiMasker("***").start(None)
            pieces = ([Text(text=whole[:cut])], [Opaque("ping"), Text(text=whole[cut:])], [ending])
            events = [event for piece in pieces for event in step(piece)]
            assert "".join(event.text for event in events if isinstance(event, Text)) == expected
            assert events[-1] is ending


@pytest.mark.parametrize(
    "plugin", ["acme_provider", "friendly_errors", "pii_masker", "toml_lookup", str(EXAMPLES / "static_token.py")]
)
def test_the_conformance_kit_passes_an_example(tmp_path, site, plugin):
    environ = {**os.environ, "PYTHONPATH": str(site), "GATEWAY_DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "gateway", "plugins", "check", plugin, "--json"]
    done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True, timeout=100)
    told = json.loads(done.stdout)
    assert [row for row in told["checks"] if row["status"] == "failed"] == []
    skipped = [row["message"] for row in told["checks"] if row["status"] == "skipped"]
    assert not [reason for reason in skipped if "declare" in reason and plugin == "toml_lookup"]
    assert told["passed"]

"""Gateways that know chat: TensorZero (Rust), LiteLLM (Python), Portkey (Node)."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from bench.contestants.installing import HERE, answers, free_port, npm_with, venv_with
from bench.gateways import World
from bench.target import Ask, Target, chat_body, started

TENSORZERO = "tensorzero==2026.6.0"
LITELLM = "litellm[proxy]"
PORTKEY = "@portkey-ai/gateway@1.15.2"

_NO_KEY = {"LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true"}
_TENSORZERO_MODEL = """
[models."{name}"]
routing = ["upstream"]

[models."{name}".providers.upstream]
type = "openai"
model_name = "{name}"
api_base = "{base_url}/"
api_key_location = "none"
"""
_LITELLM_MODEL = """  - model_name: {name}
    litellm_params: {{model: openai/{name}, api_base: "{base_url}", api_key: sk-bench}}
"""


@contextmanager
def tensorzero(world: World) -> Iterator[Target]:
    """TensorZero's gateway as its wheel holds it, without its database."""
    python = venv_with("tensorzero", TENSORZERO) / "python"
    folder = world.folder / "tensorzero"
    folder.mkdir(exist_ok=True)
    models = "".join(_TENSORZERO_MODEL.format(name=name, base_url=world.base_url) for name in world.models)
    config = folder / "tensorzero.toml"
    config.write_text(f"[gateway]\nobservability.enabled = false\n{models}", "utf-8")
    command = [str(python), str(HERE / "tensorzero_start.py"), str(config)]
    with started(command, world.cores, folder, world.environ(OPENAI_API_KEY="sk-bench")) as server:
        port = int(server.wait_for(r"Listening on http://.*:([0-9]+)"))
        yield Target("tensorzero", port, server.pids, _tensorzero_body, path="/openai/v1/chat/completions", loose=True)


@contextmanager
def litellm(world: World) -> Iterator[Target]:
    """LiteLLM's proxy with one worker, without its database."""
    program = venv_with("litellm", LITELLM) / "litellm"
    # It imports what lies two folders above the current one before its own packages.
    folder, port = world.folder / "litellm" / "its" / "own", free_port()
    folder.mkdir(parents=True, exist_ok=True)
    models = "".join(_LITELLM_MODEL.format(name=name, base_url=world.base_url) for name in world.models)
    config = folder / "litellm.yaml"
    config.write_text(f"model_list:\n{models}litellm_settings: {{telemetry: false, num_retries: 0}}\n", "utf-8")
    command = [str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    environ = world.environ(LITELLM_LOG="ERROR", LITELLM_LOCAL_MODEL_COST_MAP="True", **_NO_KEY)
    with started(command, world.cores, folder, environ) as server:
        server.until(lambda: answers(port))
        yield Target("litellm", port, server.pids, chat_body, loose=True)


@contextmanager
def portkey(world: World) -> Iterator[Target]:
    """Portkey's open gateway on Node; the request's headers say where to."""
    package = npm_with("portkey", PORTKEY) / "@portkey-ai" / "gateway"
    port = free_port()
    command = ["node", str(package / "build" / "start-server.js"), f"--port={port}", "--headless"]
    environ = world.environ(NODE_ENV="production", TRUSTED_CUSTOM_HOSTS="127.0.0.1,localhost")
    headers = {
        "authorization": "Bearer sk-bench",
        "x-portkey-provider": "openai",
        "x-portkey-custom-host": world.base_url,
    }
    with started(command, world.cores, world.folder / "portkey", environ) as server:
        server.until(lambda: answers(port))
        yield Target("portkey", port, server.pids, chat_body, headers=headers, loose=True)


def _tensorzero_body(ask: Ask) -> bytes:
    return chat_body(msgspec.structs.replace(ask, model=f"tensorzero::model_name::{ask.model}"))

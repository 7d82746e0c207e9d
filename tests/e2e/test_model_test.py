"""`gateway models test`: one call on the way of every call, and a true report of it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest
from seeding import seed

from gateway.app import Application
from gateway.cli.model_test import Report, ask, report
from gateway.registry import NewModel
from gateway.registry.references import KeyReference
from gateway.secrets import Secret
from gateway.settings import load_settings
from gateway.testing.running import RunningGateway
from gateway.testing.upstream import Behaviour, Ending, ScriptedUpstream, chat_events, reply, stream

KEY = "sk-canary-0123456789"
ALLOW = {"GATEWAY_EGRESS__ALLOW": '["127.0.0.1"]'}
pytestmark = pytest.mark.timeout(300)


def event(choices: list[object], **more: object) -> bytes:
    head = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return b"data: " + json.dumps({**head, "choices": choices, **more}).encode() + b"\n\n"


CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "answer", "arguments": '{"word":"ok"}'}}
WHOLE = stream(
    event([{"index": 0, "delta": {"role": "assistant", "tool_calls": [CALL]}, "finish_reason": None}]),
    event([{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]),
    event([], usage={"prompt_tokens": 20, "completion_tokens": 5, "total_tokens": 25}),
    b"data: [DONE]\n\n",
    pause=0.0,
)
PLAIN = stream(*chat_events("ok"), pause=0.0)
REFUSED = reply(400, json.dumps({"error": {"message": f"tools are not supported (key {KEY})"}}).encode())
COLD = reply(
    400,
    b"""{"error":{"message":"Unsupported value: 'temperature' does not support 0 with this model.",
    "type":"invalid_request_error","param":"temperature","code":"unsupported_value"}}""",
)
SCRIPTS: dict[str, tuple[Behaviour, ...]] = {
    "whole": (WHOLE,),
    "plain": (PLAIN,),
    "refuses-tools": (REFUSED, REFUSED, REFUSED, PLAIN),
    "refuses-temperature": (COLD, WHOLE),
    "refuses-limit": (REFUSED, WHOLE),
    "wrong-key": (reply(401, json.dumps({"error": {"message": f"Incorrect API key provided: {KEY}"}}).encode()),),
    "cut": (stream(*chat_events("ok", finish=None), pause=0.0, ending=Ending.RESET),),
    "silent": (stream(*chat_events("ok", finish=None), pause=0.0, ending=Ending.HOLD),),
    "missing": (reply(404, b'{"error": {"message": "no such model"}}'),),
}


def model(name: str, base_url: str, key: Secret | KeyReference | None = None) -> NewModel:
    return NewModel(name=name, model_id="m", base_url=base_url, api_key=key or Secret(KEY))


@asynccontextmanager
async def gateway(tmp_path: Path, upstream: ScriptedUpstream) -> AsyncIterator[Application]:
    """The application that the command opens, with a model for each script and some that lead nowhere."""
    models = [model(name, upstream.play(name, *script)) for name, script in SCRIPTS.items()]
    models += [
        model("nobody", "http://127.0.0.1:1/v1"),
        model("denied", "http://10.1.2.3/v1"),
        model("keyless", upstream.play("keyless", PLAIN), KeyReference("env", "TEST_NOT_THERE")),
    ]
    environ = {**ALLOW, "GATEWAY_DATA_DIR": str(tmp_path)}
    await seed(tmp_path, environ, models=models)
    application = Application(load_settings(None, environ))
    async with application.running():
        yield application


async def found(application: Application, name: str, *, seconds: float = 60) -> Report:
    [served] = application.registry.snapshot.models_named(name)
    async with asyncio.timeout(90):
        return report(served, await ask(application.pipeline, served, seconds), seconds)


def results(told: Report) -> dict[str, str]:
    return {check.check: check.result for check in told.checks}


def finding(told: Report, check: str) -> str:
    return next(one.finding for one in told.checks if one.check == check)


async def test_what_works_and_what_does_not_is_told_for_each_kind_of_upstream(tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream, gateway(tmp_path, upstream) as application:
        whole = await found(application, "whole")
        assert (whole.works, whole.calls) == (True, 1)
        assert set(results(whole).values()) == {"ok"}
        assert finding(whole, "usage") == "20 tokens in, 5 out"
        [seen] = upstream.seen("whole")
        assert seen.request.header("authorization") == f"Bearer {KEY}"
        assert seen.request.json()["stream_options"] == {"include_usage": True}

        plain = await found(application, "plain")
        assert (plain.works, results(plain)["usage"], results(plain)["tools"]) == (True, "no", "unknown")

        refuses = await found(application, "refuses-tools")
        assert (refuses.works, refuses.calls, results(refuses)["tools"]) == (True, 4, "no")
        assert "tools are not supported" in finding(refuses, "tools")

        limit = await found(application, "refuses-limit")
        assert (limit.calls, results(limit)["tools"]) == (2, "ok")

        cold = await found(application, "refuses-temperature")
        assert (cold.works, cold.calls, results(cold)["tools"]) == (True, 2, "ok")
        assert finding(cold, "quirks").endswith(f"gateway models update {cold.id} --quirk omit=temperature")

        wrong = await found(application, "wrong-key")
        assert (wrong.works, wrong.calls) == (False, 1)
        assert (results(wrong)["reach"], results(wrong)["auth"]) == ("ok", "failed")
        assert finding(wrong, "auth").startswith("401 Incorrect API key")
        assert KEY not in repr((wrong, refuses, limit))

        cut = await found(application, "cut")
        assert (cut.works, results(cut)["auth"], results(cut)["stream"]) == (False, "ok", "failed")
        silent = await found(application, "silent", seconds=1)
        assert finding(silent, "stream") == "the answer was not complete after 1 seconds"
        assert results(silent)["reach"] == "ok"

        missing = await found(application, "missing")
        assert (missing.works, results(missing)["auth"]) == (False, "unknown")
        assert finding(missing, "stream") == "404 no such model"


async def test_what_cannot_be_called_says_why_and_nothing_is_sent(tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream, gateway(tmp_path, upstream) as application:
        denied = await found(application, "denied")
        assert (denied.works, results(denied)["reach"], results(denied)["stream"]) == (False, "failed", "unknown")
        assert finding(denied, "reach").endswith(
            "10.1.2.3 (private) may not be reached, by the settings that this command sees; "
            "name it in egress.allow if it should be"
        )
        nobody = await found(application, "nobody")
        assert results(nobody)["reach"] == "failed"
        keyless = await found(application, "keyless")
        assert "The environment variable TEST_NOT_THERE is not set." in finding(keyless, "reach")
        assert upstream.seen("keyless") == []


async def test_the_command_prints_a_table_and_ends_with_a_code(tmp_path: Path) -> None:
    async with ScriptedUpstream() as upstream:
        models = [model(name, upstream.play(name, *SCRIPTS[name])) for name in ("whole", "wrong-key", "plain")]
        models[2] = msgspec.structs.replace(models[2], enabled=False)
        await seed(tmp_path / "data", ALLOW, models=models)
        gateway = RunningGateway(tmp_path / "data", environ=ALLOW)  # commands need no server

        async def run(*arguments: str) -> tuple[int | None, str, str]:
            process = await gateway.start_command("models", "test", *arguments)
            out, err = await process.communicate()
            return process.returncode, out.decode(), err.decode()

        works, fails, disabled = await asyncio.gather(run("whole"), run("wrong-key", "--json"), run("plain"))
        assert (works[0], works[2]) == (0, "This costs one short call at the upstream.\n")
        assert [line.split()[:2] for line in works[1].splitlines()[1:]] == [
            [check, "ok"] for check in ("reach", "auth", "stream", "usage", "tools")
        ]
        told = json.loads(fails[1])
        assert (fails[0], told["works"], told["calls"]) == (1, False, 1)
        assert fails[2].endswith("Error: The model wrong-key does not answer as it should.\n")
        assert KEY not in fails[1] + fails[2]
        assert disabled[:2] == (1, "")
        assert disabled[2].endswith("Error: The model plain is not served: it is disabled.\n")
        assert [len(upstream.seen(name)) for name in ("whole", "wrong-key", "plain")] == [1, 1, 0]

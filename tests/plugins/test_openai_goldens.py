"""The recorded transcripts, upstream half: both lanes ask and fail exactly as the original's client did, try by try."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pytest
from loopback_upstream import attempt, model, taken

from gateway import ChatRequest, GatewayError, Secret, UpstreamError, UpstreamUnreachable
from gateway.egress import EgressClient, EgressPolicy
from gateway.errors import InvalidUpstreamUrl
from gateway.testing.upstream import Behaviour, Ending, ScriptedUpstream, from_transcript
from gateway_openai.errors import OpenAIErrorMapper
from gateway_openai.provider import OpenAIProvider
from gateway_openai.settings import Lane

FOLDER: Final = Path(__file__).parents[1] / "golden" / "custom_route"
TRANSCRIPTS: Final = {
    path.stem: transcript
    for path in sorted(FOLDER.glob("*.json"))
    if (transcript := json.loads(path.read_text())).get("model_row")
}


def asked(body: Any) -> ChatRequest:
    """The chat request that a recorded body of the custom route stands for."""
    settings = body["chatSettings"]
    values = {"model": settings["model"]}
    if "messages" in body:
        values["messages"] = body["messages"]
    if "temperature" in settings:
        values["temperature"] = settings["temperature"]
    fields = {name: msgspec.Raw(msgspec.json.encode(value)) for name, value in {**values, "stream": True}.items()}
    return ChatRequest(dialect="chat", model="1", stream=True, fields=fields, keeps_model=True)


@pytest.fixture
async def egress() -> AsyncIterator[EgressClient]:
    client = EgressClient(EgressPolicy(allow=("127.0.0.1",)))
    yield client
    await client.aclose()


@pytest.mark.parametrize("lane", ["direct", "sdk"])
@pytest.mark.parametrize("case", TRANSCRIPTS)
async def test_first_try_is_the_originals(case: str, lane: Lane, egress: EgressClient) -> None:
    transcript = TRANSCRIPTS[case]
    row, recorded = transcript["model_row"], transcript["seen_by_upstream"]
    async with ScriptedUpstream() as upstream:
        script = from_transcript(transcript["upstream_behaviour"])
        upstream.play(case, *script)
        base_url = row["base_url"].replace("http://UPSTREAM", upstream.origin)
        target = model(base_url, model_id=row["model_id"], api_key=Secret(row["api_key"] or ""))
        outcome = await first_try(OpenAIProvider(egress, lane), target, transcript["request"]["body"])
        seen = [one.request for one in upstream.seen(case)]
    assert len(seen) == min(1, len(recorded))
    for real, original in zip(seen, recorded[:1], strict=False):
        assert (real.method, real.target, real.json()) == (original["method"], original["url"], original["body"])
        for name in ("accept", "authorization", "content-type"):
            assert real.header(name) == original["headers"][name]
    judge(outcome, script[0] if recorded else None, transcript["response"].get("body", ""))


async def first_try(provider: OpenAIProvider, target: Any, body: Any) -> bytes | GatewayError:
    """The answer's bytes as far as they came, or the mapped failure."""
    trial = attempt(target)
    client = provider.connect(target)
    try:
        return (await taken((await client.open(asked(body), trial)).body)).data
    except GatewayError as error:
        return error
    except Exception as error:
        mapped = OpenAIErrorMapper().map(error, trial)
        assert mapped is not None
        return mapped
    finally:
        await client.aclose()


def judge(outcome: bytes | GatewayError, played: Behaviour | None, said: str) -> None:
    """Whether the outcome is what the upstream played, or why it was never asked."""
    if played is None:
        kind = InvalidUpstreamUrl if "Invalid URL" in said else UpstreamUnreachable
        assert type(outcome) is kind
    elif played.status is None or 300 <= played.status < 400:
        assert isinstance(outcome, UpstreamUnreachable)
    elif played.status >= 400:
        assert isinstance(outcome, UpstreamError)
        assert (outcome.status, outcome.body) == (played.status, b"".join(played.writes))
    elif played.ending is Ending.COMPLETE:
        assert outcome == b"".join(played.writes)
    else:
        assert isinstance(outcome, bytes)
        assert b"".join(played.writes).startswith(outcome)

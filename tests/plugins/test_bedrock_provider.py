"""Where the provider `bedrock` sends a request, what it carries, and whether AWS would accept its signature."""

import json
import re
import subprocess
import sys
from datetime import datetime
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from gateway import ChatRequest, Model, UpstreamError
from gateway.egress import EgressClient, EgressPolicy
from gateway.errors import ModelMisconfigured
from gateway.secrets import Secret
from gateway.testing.asked import chat_request
from gateway.testing.bench import exchange_of
from gateway.testing.loopback import ReceivedRequest
from gateway.testing.standin import StandInGateway, StandInSnapshot
from gateway.testing.upstream import Behaviour, ScriptedUpstream, reply
from gateway_bedrock.keys import read_key
from gateway_bedrock.provider import BedrockProvider, region_of, url_of

ARN = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc~1"
ID, SECRET, TOKEN = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "IQoJb3JpZ2luX2VjEXAMPLE=="
CHAT = chat_request("m")
HOST = "https://bedrock-runtime.us-east-1.amazonaws.com"


def model(base_url: str = HOST, **fields: Any) -> Model:
    return Model(id="1", name="m", provider="bedrock", base_url=base_url, **{"model_id": ARN, **fields})


async def on_the_wire(
    asked: ChatRequest = CHAT, behaviour: Behaviour | None = None, region: str = "us-east-1", **fields: Any
) -> ReceivedRequest:
    """What the upstream sees of a request."""
    egress = EgressClient(EgressPolicy(allow=("127.0.0.1",)))
    async with ScriptedUpstream() as upstream:
        to = model(upstream.play("wire", behaviour or reply(200, b"{}")), **fields)
        provider = BedrockProvider(region=region)
        provider.bind(StandInGateway(None, egress, StandInSnapshot()))
        client = provider.connect(to)
        try:
            opened: Any = await client.open(asked, exchange_of(asked, to).attempts[0])
            opened.body.close()
        finally:
            await client.aclose()
            await egress.aclose()
        return upstream.seen("wire")[0].request


def recomputed(request: ReceivedRequest, monkeypatch: pytest.MonkeyPatch, token: str | None) -> str:
    """The Authorization header that botocore gives the request as it came over the socket."""
    carried = dict(request.headers)
    signed = re.search(r"SignedHeaders=([^,]+)", carried["authorization"])
    assert signed is not None
    kept = {name: carried[name] for name in signed[1].split(";") if name not in ("host", "x-amz-date")}
    at = datetime.strptime(carried["x-amz-date"], "%Y%m%dT%H%M%SZ")
    monkeypatch.setattr("botocore.auth.get_current_datetime", lambda *_, **__: at)
    url = f"http://{carried['host']}{request.target}"
    again = AWSRequest(method="POST", url=url, data=request.body, headers=kept)
    SigV4Auth(Credentials(ID, SECRET, token), "bedrock", "us-east-1").add_auth(again)
    return str(again.headers["Authorization"])


@pytest.mark.parametrize("token", ["", TOKEN])
async def test_the_signature_that_goes_out_is_the_one_aws_computes(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    key = ":".join(filter(None, (ID, SECRET, token)))
    request = await on_the_wire(api_key=Secret(key), headers={"X-Amzn-Bedrock-Trace": "ENABLED  FULL"})
    carried = dict(request.headers)
    assert request.target.endswith(
        "/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Aapplication-inference-profile%2Fabc~1/converse-stream"
    )
    assert carried["authorization"] == recomputed(request, monkeypatch, token or None)
    assert f"Credential={ID}/" in carried["authorization"]
    assert "/us-east-1/bedrock/aws4_request" in carried["authorization"]
    assert carried.get("x-amz-security-token", "") == token
    assert "x-amzn-bedrock-trace" in carried["authorization"]
    assert SECRET not in str(request.headers)


async def test_another_secret_signs_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    request = await on_the_wire(api_key=Secret(f"{ID}:other{SECRET}"))
    assert dict(request.headers)["authorization"] != recomputed(request, monkeypatch, None)


async def test_a_bedrock_api_key_is_a_bearer_and_needs_no_region() -> None:
    request = await on_the_wire(region="", api_key=Secret("bedrock-api-key-Zm9v"))
    carried = dict(request.headers)
    assert carried["authorization"] == "Bearer bedrock-api-key-Zm9v"
    assert carried["accept"] == "application/vnd.amazon.eventstream"
    assert json.loads(request.body)["messages"] == [{"role": "user", "content": [{"text": "Hi"}]}]


async def test_without_a_key_nothing_is_signed() -> None:
    assert "authorization" not in dict((await on_the_wire(region="")).headers)


async def test_a_client_that_asks_for_no_stream_asks_converse() -> None:
    whole = chat_request("m", stream=False)
    request = await on_the_wire(
        ChatRequest(dialect="chat", model="m", stream=False, fields=whole.fields, codec=whole.codec)
    )
    assert request.target.endswith("/converse")
    assert dict(request.headers)["accept"] == "application/json"


async def test_what_aws_quotes_of_a_request_it_refuses_shows_no_secret() -> None:
    quoted = json.dumps({"message": f"canonical string: x-amz-security-token:{TOKEN} {SECRET}"}).encode()
    with pytest.raises(UpstreamError) as refused:
        await on_the_wire(behaviour=reply(403, quoted), api_key=Secret(f"{ID}:{SECRET}:{TOKEN}"))
    assert b"canonical" in refused.value.body
    assert TOKEN.encode() not in refused.value.body
    assert SECRET.encode() not in refused.value.body


@pytest.mark.parametrize(
    "text",
    [
        f"{ID}:{SECRET}:{TOKEN}",
        json.dumps({"access_key_id": ID, "secret_access_key": SECRET, "session_token": TOKEN}),
        json.dumps({"AccessKeyId": ID, "SecretAccessKey": SECRET, "SessionToken": TOKEN, "Expiration": "2030"}),
        json.dumps({"aws_access_key_id": ID, "aws_secret_access_key": SECRET, "aws_session_token": TOKEN}),
    ],
)
def test_a_key_of_aws_is_read_in_every_form(text: str) -> None:
    key = read_key(Secret(f" {text}\n"))
    assert key is not None
    assert (key.id, key.secret.reveal(), key.token.reveal()) == (ID, SECRET, TOKEN)
    assert SECRET not in repr(key)


@pytest.mark.parametrize("text", ["{", '{"access_key_id":"a"}', ":secret", "id:", '{"access_key_id":1}'])
def test_half_a_key_is_told_to_the_operator_without_showing_it(text: str) -> None:
    with pytest.raises(ModelMisconfigured) as error:
        read_key(Secret(text))
    assert "ACCESS_KEY_ID:SECRET_ACCESS_KEY" in error.value.detail
    assert error.value.message == "The model is not configured properly."


@pytest.mark.parametrize(
    ("base_url", "region"),
    [
        (HOST, "us-east-1"),
        ("https://bedrock-runtime-fips.us-gov-west-1.amazonaws.com/", "us-gov-west-1"),
        ("https://vpce-1-a.bedrock-runtime.eu-central-1.vpce.amazonaws.com", "eu-central-1"),
        ("https://bedrock.internal.example", "ap-south-1"),
        ("", "ap-south-1"),
    ],
)
def test_the_region_is_the_base_urls_else_the_settings(base_url: str, region: str) -> None:
    assert region_of(model(base_url), None, "ap-south-1") == region


def test_the_region_of_a_key_comes_before_the_settings() -> None:
    key = read_key(Secret(json.dumps({"access_key_id": ID, "secret_access_key": SECRET, "region": "eu-west-1"})))
    assert region_of(model(""), key, "ap-south-1") == "eu-west-1"


@pytest.mark.parametrize(
    ("base_url", "region", "begins"),
    [
        ("", "us-east-1", f"{HOST}/model/"),
        ("", "cn-north-1", "https://bedrock-runtime.cn-north-1.amazonaws.com.cn/model/"),
        (f"{HOST}/", "", f"{HOST}/model/"),
    ],
)
def test_where_a_request_goes(base_url: str, region: str, begins: str) -> None:
    assert url_of(CHAT, model(base_url, model_id="us.amazon.nova-pro-v1:0"), region) == (
        f"{begins}us.amazon.nova-pro-v1%3A0/converse-stream"
    )


def test_the_model_a_client_names_itself_is_asked() -> None:
    asked = CHAT.with_keeps_model(True)
    assert "/model/m/" in url_of(asked, model(), "us-east-1")


async def test_nothing_that_names_a_region_is_told_to_the_operator() -> None:
    with pytest.raises(ModelMisconfigured) as error:
        await on_the_wire(region="", api_key=Secret(f"{ID}:{SECRET}"))
    assert "region" in error.value.detail
    with pytest.raises(ModelMisconfigured):
        url_of(CHAT, model(""), "")


async def test_without_botocore_the_operator_is_told_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.auth", None)  # Python's own way to say that there is none
    with pytest.raises(ModelMisconfigured) as error:
        await on_the_wire(api_key=Secret(f"{ID}:{SECRET}"))
    assert "pip install 'litestar-gateway[bedrock]'" in error.value.detail


def test_importing_the_plugin_does_not_import_botocore() -> None:
    code = "import sys, gateway_bedrock.provider; assert not any(m.startswith('botocore') for m in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

"""The provider `bedrock`: where a request goes, what it carries, who signs it."""

import asyncio
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from gateway import Attempt, ByteUpstream, ChatRequest, Model, Provider, ProviderClient, UpstreamError, __version__
from gateway.errors import Headers
from gateway.protocols import Egress, Gateway
from gateway.providers.headers import merged
from gateway.providers.sending import send
from gateway.secrets import redact
from gateway.wire.fields import asked_model
from gateway_bedrock.dialect import CONVERSE
from gateway_bedrock.keys import AccessKey, misconfigured, read_key
from gateway_bedrock.signing import Signer

_REGION: Final = re.compile(r"//(?:[^/?#]*\.)?bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.")
_USER_AGENT: Final = f"litestar-gateway/{__version__}"
_ACTIONS: Final = ("/converse", "/converse-stream")


class BedrockProvider:
    """`POST {base_url}/model/{id}/converse-stream`, or `/converse` for a client that asks for no stream."""

    name: str = "bedrock"
    api_key_env = "AWS_BEARER_TOKEN_BEDROCK"
    _egress: Egress

    def __init__(self, *, region: str = "") -> None:
        self._region = region

    def bind(self, gateway: Gateway) -> None:
        """Called once, when the provider is registered."""
        self._egress = gateway.egress

    def connect(self, model: Model) -> ProviderClient:
        """A client for this base URL and credential."""
        return _Client(self._egress, self._region)


class _Client:
    """Calls Bedrock with one credential."""

    def __init__(self, egress: Egress, region: str) -> None:
        self._egress = egress
        self._region = region
        self._signer: Signer | None = None

    async def open(self, request: ChatRequest, attempt: Attempt) -> ByteUpstream:
        """Raises `ModelMisconfigured` for a model without a region or with half a key, besides what sending raises."""
        model = attempt.model
        key = read_key(model.api_key)
        region = region_of(model, key, self._region)
        url = url_of(request, model, region)
        body = CONVERSE.write_request(request, model)
        headers = merged(_headers(request, model, signs=key is not None), model)
        if key is not None:
            headers = (await self._signing(key, region)).signed(url, headers, body)
        try:
            stream = await send(self._egress, "POST", url, headers, body, attempt)
        except UpstreamError as error:
            error.body = _redacted(error.body, key)
            raise
        return ByteUpstream(CONVERSE, stream)

    async def aclose(self) -> None:
        """Nothing is held: connections belong to egress."""

    async def _signing(self, key: AccessKey, region: str) -> Signer:
        if not region:
            raise misconfigured(
                "nothing names its AWS region, which a signature needs: use a base URL like "
                "https://bedrock-runtime.us-east-1.amazonaws.com, or set [plugins.bedrock] region"
            )
        if self._signer is None:
            self._signer = await asyncio.to_thread(Signer, key, region)
        return self._signer


def region_of(model: Model, key: AccessKey | None, default: str) -> str:
    """The region: the base URL's, else the key's, else the settings'; empty where none of them names one."""
    found = _REGION.search(model.base_url.lower())
    if found is not None:
        return found[1]
    return (key.region if key is not None else "") or default


def url_of(request: ChatRequest, model: Model, region: str) -> str:
    """Where a request goes; raises `ModelMisconfigured` where nothing says it.

    Ids with colons and slashes (ARNs) are one segment of the path. The signature counts it escaped once more.
    """
    base = model.base_url.strip().rstrip("/")
    if not base:
        if not region:
            raise misconfigured("it has no base URL, and [plugins.bedrock] region is not set")
        suffix = "com.cn" if region.startswith("cn-") else "com"
        base = f"https://bedrock-runtime.{region}.amazonaws.{suffix}"
    return f"{base}/model/{quote(asked_model(request, model), safe='')}{_ACTIONS[request.stream]}"


def _headers(request: ChatRequest, model: Model, *, signs: bool) -> Headers:
    key = model.api_key.reveal().strip()
    return (
        ("content-type", "application/json"),
        ("accept", CONVERSE.media_type if request.stream else "application/json"),
        ("user-agent", _USER_AGENT),
        *((("authorization", f"Bearer {key}"),) if key and not signs else ()),
    )


def _redacted(body: bytes, key: AccessKey | None) -> bytes:
    """AWS quotes the request whose signature it refuses, the session's token too."""
    if key is None:
        return body
    return redact(body.decode("utf-8", "surrogateescape"), key.secrets).encode("utf-8", "surrogateescape")


if TYPE_CHECKING:
    _: type[Provider] = BedrockProvider

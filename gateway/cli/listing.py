"""Reads what an upstream says it has, in the ways the upstreams say it."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from gateway.cli.endings import Failed
from gateway.domain import Prices, Timeouts
from gateway.egress import EgressClient
from gateway.errors import GatewayError, Headers, UpstreamFault
from gateway.secrets import Secret, redact

_TAGS: Final = "/api/tags"
"""Where Ollama alone lists models."""
_LIMIT: Final = 16 << 20
_MOST: Final = 20_000
_TIMEOUTS: Final = Timeouts(connect=10.0, first=30.0, idle=30.0, total=60.0)
_LENGTHS: Final = (
    "context_length",  # OpenRouter, Together, LM Studio
    "max_model_len",  # vLLM
    "context_window",  # Groq
    "max_context_length",  # Mistral, LM Studio's own listing
    "inputTokenLimit",  # Gemini
)
_PRICES: Final = {
    "input": "prompt",
    "output": "completion",
    "cache_read": "input_cache_read",
    "cache_write": "input_cache_write",
}


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """One model that an upstream lists."""

    id: str
    context_length: int | None
    prices: Prices


class Listed(msgspec.Struct, frozen=True, kw_only=True):
    """An upstream's models, and the base URL they are called at."""

    base_url: str
    models: list[Found]
    provider: str = "openai"
    """Who speaks to them, as far as the way they are listed tells."""


async def ask(egress: EgressClient, base_url: str, provider: str, key: Secret) -> Listed:
    """The models of that upstream; ends the command in words where it lists none."""
    base = base_url.rstrip("/")
    # `/models` below an address that ends in its version, else below one that forgot it; Ollama's own way last.
    ways = [(f"{base}/models", base_url), (f"{base}/v1/models", f"{base}/v1")]
    ways.append((f"{base.removesuffix('/v1')}{_TAGS}", base if base.endswith("/v1") else f"{base}/v1"))
    refusals = []
    for url, where in ways:
        status, body = await _get(egress, url, provider, key)
        if status in (401, 403):
            raise Failed(f"The upstream refuses the key ({status}): give it by --api-key-env VAR.")
        models = read_models(body) if status == 200 else None
        if models is not None:
            spoken = "ollama" if url.endswith(_TAGS) else "openai"
            return Listed(base_url=where, models=models, provider=spoken)
        refusals.append(f"{url} {status if status != 200 else 'answers no list of models'}")
    raise Failed(f"The upstream lists no models: {redact('; '.join(refusals), [key])}. Is it the base URL?")


async def _get(egress: EgressClient, url: str, provider: str, key: Secret) -> tuple[int, bytes]:
    try:
        answer = await egress.send("GET", url, headers=_headers(provider, key), timeouts=_TIMEOUTS)
        return answer.status, await answer.read(_LIMIT)
    except UpstreamFault as error:
        raise Failed(f"The upstream cannot be asked: {error.detail or error}.") from error
    except GatewayError as error:
        raise Failed(f"The upstream cannot be asked: {error}") from error


def _headers(provider: str, key: Secret) -> Headers:
    text = key.reveal().strip()
    accept = ("accept", "application/json")
    if not text:
        return (accept,)
    # Each maker's own way; nobody else's key is sent in two headers.
    own = {"anthropic": "x-api-key", "gemini": "x-goog-api-key"}.get(provider)
    if own is None:
        return (accept, ("authorization", f"Bearer {text}"))
    return (
        (accept, (own, text), ("anthropic-version", "2023-06-01")) if provider == "anthropic" else (accept, (own, text))
    )


def read_models(body: bytes) -> list[Found] | None:
    """The models of an answer, each once, by name; None when it is no list of models."""
    try:
        answer: object = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    listed = answer
    if isinstance(answer, dict):
        listed = answer.get("data") if isinstance(answer.get("data"), list) else answer.get("models")
    if not isinstance(listed, list):
        return None
    found = {model.id: model for one in listed[:_MOST] if isinstance(one, dict) and (model := _model(one)) is not None}
    return [found[id] for id in sorted(found)]


def _model(said: Mapping[str, Any]) -> Found | None:
    name = next((said[key] for key in ("id", "model", "name") if isinstance(said.get(key), str)), "")
    name = name.removeprefix("models/") if "id" not in said else name
    if not name or not name.isprintable():
        return None
    return Found(id=name, context_length=_length(said), prices=_prices(said.get("pricing")))


def _length(said: Mapping[str, Any]) -> int | None:
    meta = said.get("meta")  # llama.cpp
    trained = meta.get("n_ctx") if isinstance(meta, dict) else None
    for value in (*(said.get(name) for name in _LENGTHS), trained):
        if type(value) is int and 0 < value < 2**31:
            return value
    return None


def _prices(pricing: object) -> Prices:
    """OpenRouter's: dollars for a token, as text. Others' numbers mean other things, and are not guessed at."""
    if not isinstance(pricing, dict):
        return Prices()
    return Prices(**{kind: _price(pricing.get(name)) for kind, name in _PRICES.items()})


def _price(text: object) -> float | None:
    if not isinstance(text, str):
        return None
    try:
        price = float(text)
    except ValueError:
        return None
    return float(f"{price * 1_000_000:.10g}") if 0 <= price < 1 else None

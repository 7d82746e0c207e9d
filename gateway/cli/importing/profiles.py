"""Rows of Chatbot UI's table `profiles`: each provider's key becomes a model of its user.

Chatbot UI keeps one key of a provider in a profile and the names of that provider's models in its own code, which ages.
Here a key becomes one model for each model id of its provider: one by default, others by `--profile-model`.
"""

import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from gateway.cli.importing.addresses import Addresses, has_credentials
from gateway.cli.importing.findings import Candidate, Finding, Raw
from gateway.cli.importing.models import look_at_key
from gateway.cli.importing.values import Values
from gateway.registry.imports import Incoming

_NAMESPACE: Final = uuid.UUID("5f0c3a52-7d1e-4f4b-9a55-1c8f6a3d2b70")
"""Ids are made of user, column and model id under this one: the same again at every import."""
_SUFFIX: Final = "_api_key"


class Provider(NamedTuple):
    """Where a key of the profile is good for something."""

    column: str
    title: str
    base_url: str
    model_id: str
    """What is imported unless others are asked for."""
    native: str = ""
    """The dialect of its own that it is not called in: its OpenAI-compatible address is."""


PROVIDERS: Final[Mapping[str, Provider]] = {
    "openai": Provider("openai_api_key", "OpenAI", "https://api.openai.com/v1", "gpt-4o"),
    "anthropic": Provider(
        "anthropic_api_key", "Anthropic", "https://api.anthropic.com/v1", "claude-sonnet-5-5", "anthropic"
    ),
    "google": Provider(
        "google_gemini_api_key",
        "Google Gemini",
        "https://generativelanguage.googleapis.com/v1beta/openai",
        "gemini-flash-latest",
        "gemini",
    ),
    "mistral": Provider("mistral_api_key", "Mistral", "https://api.mistral.ai/v1", "mistral-large-latest"),
    "groq": Provider("groq_api_key", "Groq", "https://api.groq.com/openai/v1", "llama-3.3-70b-versatile"),
    "perplexity": Provider("perplexity_api_key", "Perplexity", "https://api.perplexity.ai", "sonar"),
    "openrouter": Provider("openrouter_api_key", "OpenRouter", "https://openrouter.ai/api/v1", "openrouter/auto"),
}
AZURE: Final = "azure_openai_api_key"
_DEPLOYMENTS: Final = ("azure_openai_35_turbo_id", "azure_openai_45_turbo_id", "azure_openai_45_vision_id")
REQUIRED: Final = ("user_id",)


class _Key(NamedTuple):
    """One model to be made of a profile's key."""

    column: str
    title: str
    base_url: str
    model_id: str
    native: str = ""


def read_profiles(rows: Iterable[Raw], model_ids: Mapping[str, Sequence[str]], addresses: Addresses) -> list[Candidate]:
    """Every key of every profile as candidates; `model_ids` replaces what a provider's keys are imported for."""
    return [candidate for row in rows for candidate in _read(row, model_ids, addresses)]


def _read(row: Raw, model_ids: Mapping[str, Sequence[str]], addresses: Addresses) -> Iterator[Candidate]:
    if row.fault:
        yield _refused(row, Finding("broken_row", row.fault))
        return
    values = Values(row.values)
    for name, provider in PROVIDERS.items():
        if values.has(provider.column):
            for model_id in model_ids.get(name, (provider.model_id,)):
                key = _Key(provider.column, provider.title, provider.base_url, model_id, provider.native)
                yield _candidate(row, key, addresses)
    if values.has(AZURE):
        yield from _azure(row, values, addresses)
    known = {AZURE, *(provider.column for provider in PROVIDERS.values())}
    for column in row.values:
        if column.endswith(_SUFFIX) and column not in known and values.has(column):
            text = f"No address is known for {column}: add its models with `gateway models add`."
            yield _refused(row, Finding("unknown_provider", text))


def _azure(row: Raw, values: Values, addresses: Addresses) -> Iterator[Candidate]:
    """One model for each deployment, at the endpoint's version-less address: a query would not survive the joining."""
    endpoint = values.text("azure_openai_endpoint", limit_of="base_url").strip().rstrip("/")
    deployments = dict.fromkeys(str(row.values[column]).strip() for column in _DEPLOYMENTS if values.has(column))
    if not endpoint or not deployments:
        lacks = "endpoint" if not endpoint else "deployment"
        yield _refused(row, Finding("no_deployment", f"The Azure OpenAI key has no {lacks}: nothing can be called."))
        return
    for deployment in deployments:
        yield _candidate(row, _Key(AZURE, "Azure OpenAI", f"{endpoint}/openai/v1", deployment), addresses)


def _candidate(row: Raw, key: _Key, addresses: Addresses) -> Candidate:
    values = Values(
        {**row.values, "model_id": key.model_id, "base_url": key.base_url, "api_key": row.values[key.column]}
    )
    owner = values.uuid("user_id", "bad_owner")
    columns: dict[str, Any] = {
        "user_id": owner,
        "folder_id": None,
        **values.times(),
        "sharing": "private",
        "name": values.text("model_id", limit_of="name"),
        "description": f"{key.title}, by the key of the Chatbot UI profile.",
        "model_id": values.text("model_id"),
        "base_url": values.text("base_url"),
        "api_key": look_at_key(values.text("api_key"), values),
        "provider": "openai",
        "headers": _headers(values) if key.column == "openai_api_key" else {},
    }
    if has_credentials(key.base_url):
        text = "The endpoint holds a user name or a password, which would not be encrypted: take it out there first."
        values.faults.append(Finding("credentials_in_url", text))
    else:
        values.notes += addresses.look_at(key.base_url)
    if key.native:
        text = f"It is called at {key.title}'s OpenAI-compatible address, not in its own dialect."
        values.notes.append(Finding("compatible_address", text))
    model_id = str(uuid.uuid5(_NAMESPACE, f"{owner}:{key.column}:{key.model_id}"))
    candidate = Candidate(
        table="profiles",
        place=f"{row.place}, {key.column}",
        id=model_id if owner else None,
        name=columns["name"][:100] if owner else "",
        owner=owner or None,
        findings=[*values.faults, *values.notes],
    )
    if not values.faults:
        candidate.incoming = Incoming(id=model_id, columns=columns)
    return candidate


def _headers(values: Values) -> dict[str, str]:
    organization = values.text("openai_organization_id").strip()
    if organization and not (organization.isascii() and organization.isprintable()):
        values.notes.append(Finding("bad_organization", "The OpenAI organization cannot be sent: it is left out."))
        return {}
    return {"OpenAI-Organization": organization} if organization else {}


def _refused(row: Raw, finding: Finding) -> Candidate:
    owner = Values(row.values).optional_uuid("user_id", "bad_owner")
    return Candidate(table="profiles", place=row.place, owner=owner, findings=[finding])

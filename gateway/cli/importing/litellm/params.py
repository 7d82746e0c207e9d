"""The fields of `litellm_params`: what each becomes in a row of ours."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from gateway.cli.importing.litellm import defaults
from gateway.cli.importing.litellm.credentials import read_credentials
from gateway.cli.importing.litellm.environment import Environment, variable_in
from gateway.cli.importing.litellm.notes import Field
from gateway.cli.importing.litellm.sections import COOLING, RETRIES

PRICES: Final[Mapping[str, str]] = {
    "input_cost_per_token": "input",
    "output_cost_per_token": "output",
    "cache_read_input_token_cost": "cache_read",
    "cache_creation_input_token_cost": "cache_write",
}
_ELSEWHERE: Final = ("model", "api_base", "base_url", "custom_llm_provider", "litellm_credential_name")
_PARAMETERS: Final = {
    "temperature", "top_p", "top_k", "min_p", "n", "stop", "seed", "max_tokens", "max_completion_tokens",
    "presence_penalty", "frequency_penalty", "repetition_penalty", "logit_bias", "logprobs", "top_logprobs", "user",
    "response_format", "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call",
    "reasoning_effort", "thinking", "service_tier", "modalities", "audio", "prediction", "stream_options",
    "verbosity", "store", "safety_settings", "dimensions", "encoding_format", "voice", "size", "quality",
    "web_search_options",
}  # fmt: skip
"""What requests may say in OpenAI's dialect and its neighbours'."""
_OLLAMA: Final = {"num_ctx", "num_predict", "num_gpu", "num_thread", "mirostat", "keep_alive", "format"}
_LIMIT: Final = "Limits of a model are not kept here."
_FIXED: Final[Mapping[str, tuple[str, str]]] = {
    "max_parallel_requests": ("unsupported", _LIMIT),
    "max_budget": ("unsupported", _LIMIT),
    "budget_duration": ("unsupported", _LIMIT),
    "max_retries": ("approximate", RETRIES),
    "num_retries": ("approximate", RETRIES),
    "api_version": ("exact", "Only Azure's addresses have versions."),
    "model_id": ("exact", "It is the model's name at Bedrock; nobody else is asked by it."),
    "drop_params": (
        "approximate",
        "What an upstream refuses is left out by its provider's table and the row's quirks.",
    ),
    "additional_drop_params": ("manual", "Say it to the row: --set quirks='{\"omit\": [...]}'."),
    "allowed_openai_params": ("exact", "Unknown fields are always passed on."),
    "mock_response": ("unsupported", "Models here answer themselves."),
    "use_in_pass_through": ("approximate", "Whatever of /v1 names a model goes to it."),
    "use_litellm_proxy": ("unsupported", "Models are asked where their rows say."),
    "merge_reasoning_content_in_choices": ("unsupported", "Reasoning is handed on where the upstream put it."),
    "cooldown_time": ("approximate", COOLING),
    "region_name": ("unsupported", "It chose among regions; make a route with conditions instead."),
    "cache_control_injection_points": ("unsupported", "Clients say themselves what is cached."),
    "default_api_key_tpm_limit": ("unsupported", _LIMIT),
    "default_api_key_rpm_limit": ("unsupported", _LIMIT),
    "guardrails": ("manual", "A plugin's transform does that here."),
    "ssl_verify": ("unsupported", "Certificates are always checked; put your own authority into the system's store."),
}


class Draft(msgspec.Struct, kw_only=True):
    """A row being made of a deployment's fields."""

    environment: Environment
    columns: dict[str, Any]
    provider: str = ""
    model: str = ""
    """Who asks, and the upstream's name of the model: they decide in whose words parameters are."""
    id: str = ""
    weight: float | None = None
    rate: float | None = None
    priority: int = 0
    tags: tuple[str, ...] = ()

    def put(self, column: str, name: str, value: Any) -> None:
        """Set one field of a column that holds JSON."""
        self.columns[column] = {**self.columns.get(column, {}), name: value}


def read_params(fields: Mapping[str, Field], draft: Draft) -> None:
    """Take over every field."""
    for name, field in fields.items():
        if name in _READERS:
            _READERS[name](field, draft)
        elif name in PRICES:
            read_price(field, draft, PRICES[name])
        elif name in _PARAMETERS:
            _parameter(name, field, draft)
        elif name in _OLLAMA:
            _ollama(name, field, draft)
        elif name in _FIXED:
            level, text = _FIXED[name]
            getattr(field, level)(text)
        elif name in _ELSEWHERE:
            field.exact("It says who serves the model.")
    read_credentials(fields, draft)
    for field in fields.values():
        field.rest()


def read_price(field: Field, draft: Draft, kind: str) -> None:
    """Dollars for a token become dollars for a million."""
    price = field.number()
    if price is None or not 0 <= price < 1:
        field.unsupported("It is no price of a token.")
        return
    draft.put("prices", kind, float(f"{price * 1_000_000:.10g}"))
    field.exact("It is the row's price, for a million tokens.")


def _parameter(name: str, field: Field, draft: Draft) -> None:
    """What clients may say themselves, as the upstream calls it."""
    dialect = defaults.dialect(draft.provider, draft.model)
    word = defaults.word(dialect, name)
    if word is None:
        page = draft.provider if draft.provider in defaults.PAGES else "gemini"
        field.manual(
            f"{draft.provider} has no such word: say it in its own, `gateway models update NAME --set "
            f"parameters='{{...}}'`, see docs/{page}.md."
        )
        return
    value = field.value
    if variable_in(field.text()) is not None and (value := draft.environment.text(field)) is None:
        return
    draft.columns["parameters"] = defaults.put(draft.columns.get("parameters", {}), word, value)
    field.exact("It is sent when the client does not say it.")


def _ollama(name: str, field: Field, draft: Draft) -> None:
    if draft.provider != "ollama":
        draft.put("parameters", name, field.value)
        field.approximate("It is sent as it is; Ollama takes it by its own API alone, which the provider ollama asks.")
        return
    _parameter(name, field, draft)


def _raw(name: str, field: Field, draft: Draft) -> None:
    """What goes to the upstream in its own words already."""
    value = field.value
    if variable_in(field.text()) is not None and (value := draft.environment.text(field)) is None:
        return
    draft.put("parameters", name, value)
    field.exact("It is sent when the client does not say it.")


def _api_key(field: Field, draft: Draft) -> None:
    draft.columns["api_key"] = draft.environment.key(field)


def _organization(field: Field, draft: Draft) -> None:
    found = draft.environment.text(field)
    if found is not None:
        draft.put("headers", "OpenAI-Organization", found)
        field.exact("It is sent as a header.")
    else:
        field.unsupported("It is no text.")


def _headers(field: Field, draft: Draft) -> None:
    for name, header in field.fields():
        found = draft.environment.text(header)
        if found is None:
            header.unsupported("It is no text.")
            continue
        draft.put("headers", name, found)
        header.exact("It is sent, and stored encrypted.")


def _extra_body(field: Field, draft: Draft) -> None:
    for name, value in field.fields():
        _raw(name, value, draft)


def _weight(field: Field, draft: Draft) -> None:
    weight = field.number()
    if weight is None or weight < 0:
        field.unsupported("It is no weight.")
        return
    draft.weight = weight
    field.exact("It is the target's weight in its route.")


def _rate(field: Field, draft: Draft) -> None:
    rate = field.number()
    if rate is not None and rate > 0 and draft.rate is None:
        draft.rate = rate
    field.approximate(f"It weighs the target in its route, where there is one. {_LIMIT}")


def _order(field: Field, draft: Draft) -> None:
    order = field.number()
    if order is None or not 0 <= order <= 100 or order != int(order):
        field.unsupported("It is no order from 0 to 100.")
        return
    draft.priority = int(order)
    field.exact("It is the target's priority in its route.")


def _tags(field: Field, draft: Draft) -> None:
    draft.tags = tuple(tag for element in field.elements() if (tag := element.text()))


def _timeout(field: Field, draft: Draft) -> None:
    seconds = _seconds(field, draft)
    if seconds is not None:
        draft.columns["timeouts"] = {"total": seconds, **draft.columns.get("timeouts", {})}
        field.approximate("It is the limit of the whole attempt, of a stream as well.")


def _stream_timeout(field: Field, draft: Draft) -> None:
    seconds = _seconds(field, draft)
    if seconds is not None:
        draft.put("timeouts", "first", seconds)
        field.approximate("It is the limit for the first content.")


def _seconds(field: Field, draft: Draft) -> float | None:
    seconds = field.number()
    if seconds is None and variable_in(field.text()) is not None:
        found = draft.environment.text(field)
        seconds = Field(found, field.path, field.notes).number() if found else None
    if seconds is None or not 0 < seconds <= 86_400:
        field.unsupported("It is no number of seconds up to a day.")
        return None
    return seconds


_READERS: Final[Mapping[str, Callable[[Field, Draft], None]]] = {
    "api_key": _api_key,
    "organization": _organization,
    "headers": _headers,
    "extra_headers": _headers,
    "default_headers": _headers,
    "extra_body": _extra_body,
    "weight": _weight,
    "rpm": _rate,
    "tpm": _rate,
    "order": _order,
    "tags": _tags,
    "timeout": _timeout,
    "request_timeout": _timeout,
    "stream_timeout": _stream_timeout,
}

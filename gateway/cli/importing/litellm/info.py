"""The fields of `model_info`: what LiteLLM says of a model."""

from collections.abc import Mapping
from typing import Final

from gateway.cli.importing.litellm.notes import Field
from gateway.cli.importing.litellm.params import PRICES, Draft, read_price

_CAPABILITIES: Final[Mapping[str, str]] = {
    "supports_vision": "vision",
    "supports_function_calling": "tools",
    "supports_parallel_function_calling": "parallel_tools",
    "supports_response_schema": "structured_output",
    "supports_reasoning": "reasoning",
    "supports_prompt_caching": "caching",
    "supports_audio_input": "audio",
    "supports_pdf_input": "documents",
    "supports_web_search": "web_search",
}
_AZURE: Final = "https://any.openai.azure.com"
"""Deployments with names of their own are Azure's."""
_LABELS: Final = ("version", "created_at", "updated_at", "created_by", "db_model")


def read_info(info: Field | None, draft: Draft) -> None:
    """Take over every field."""
    if info is None:
        return
    for name, field in info.fields():
        if name in PRICES:
            read_price(field, draft, PRICES[name])
        elif name in _CAPABILITIES:
            _capability(field, draft, _CAPABILITIES[name])
        elif name == "id":
            draft.id = field.text() or ""
            field.exact("The row's id is made of it, or is it where it is a UUID.")
        elif name == "description":
            draft.columns["description"] = (field.text() or "")[:500]
            field.exact("It is the row's description.")
        elif name == "mode":
            field.approximate("A model here is asked on whatever surface clients ask.")
        elif name in _LABELS:
            field.unsupported("It is a note of LiteLLM's to itself.")
        elif name in ("access_groups", "team_id", "team_public_model_name"):
            field.manual("Who may use a model is its owner's and its sharing's matter: `gateway models update --help`.")
    _context(info, draft)
    if (base := info.get("base_model")) is not None:
        _base_model(base, draft)
    info.rest("It is a note that nothing here reads.")


def _capability(field: Field, draft: Draft, capability: str) -> None:
    if field.value is True:
        draft.columns["capabilities"] = sorted({*draft.columns.get("capabilities", ()), capability})
    field.exact("It is one of the row's capabilities." if field.value is True else "The row does not claim it.")


def _context(info: Field, draft: Draft) -> None:
    """The longest prompt, else the old name for both."""
    for name in ("max_input_tokens", "max_tokens"):
        field = info.get(name)
        length = field.number() if field else None
        if field is None:
            continue
        if length is None or not 0 < length < 2**31 or length != int(length):
            field.unsupported("It is no number of tokens.")
        elif "context_length" in draft.columns:
            field.unsupported("The longest prompt is said by max_input_tokens.")
        else:
            draft.columns["context_length"] = int(length)
            field.approximate("It is the row's context length, which counts prompt and answer together.")
    if (field := info.get("max_output_tokens")) is not None:
        field.unsupported("The upstream knows itself how long an answer may be.")


def _base_model(field: Field, draft: Draft) -> None:
    """What a deployment with a name of its own really is: where prices and window come from."""
    from gateway.registry.catalog import Catalog

    name = field.text() or ""
    catalog = Catalog.read()
    entry = catalog.at(_AZURE, name.removeprefix("azure/")) or next(iter(catalog.find(name)), None)
    if entry is None:
        field.unsupported("The catalog does not know it.")
        return
    for kind in PRICES.values():
        if (price := getattr(entry.prices, kind)) is not None and kind not in draft.columns.get("prices", {}):
            draft.put("prices", kind, price)
    if entry.context_length:
        draft.columns.setdefault("context_length", entry.context_length)
    field.approximate(f"Prices and context length are those of {entry.ref} in the catalog, as they are today.")

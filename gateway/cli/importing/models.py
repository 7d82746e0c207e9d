"""Rows of Chatbot UI's table `models`: which may come in, and what is to be known of each."""

from collections.abc import Iterable
from typing import Final

from gateway.cli.importing.addresses import Addresses, has_credentials
from gateway.cli.importing.findings import Candidate, Finding, Raw
from gateway.cli.importing.values import Values
from gateway.registry import InvalidValue
from gateway.registry.imports import Incoming
from gateway.secrets import Secret
from gateway.settings import limits

REQUIRED: Final = ("id", "user_id", "name", "model_id", "base_url", "api_key")
"""The columns without which nothing can be imported; older Chatbot UIs have no `context_length`."""


def read_models(rows: Iterable[Raw], addresses: Addresses) -> list[Candidate]:
    """Every row as a candidate."""
    return [_read(row, addresses) for row in rows]


def _read(row: Raw, addresses: Addresses) -> Candidate:
    if row.fault:
        return Candidate(table="models", place=row.place, findings=[Finding("broken_row", row.fault)])
    values = Values(row.values)
    model_id, owner = values.uuid("id", "bad_id"), values.uuid("user_id", "bad_owner")
    base_url, key = values.text("base_url"), values.text("api_key")
    columns = {
        "user_id": owner,
        "folder_id": values.optional_uuid("folder_id", "bad_folder"),
        **values.times(),
        "sharing": _sharing(values),
        "name": values.text("name"),
        "description": values.text("description"),
        "model_id": values.text("model_id"),
        "base_url": base_url,
        "api_key": look_at_key(key, values),
        "context_length": values.number("context_length", 4096),
    }
    if has_credentials(base_url):
        text = "The base URL holds a user name or a password, which would not be encrypted: take it out there first."
        values.faults.append(Finding("credentials_in_url", text))
    else:
        values.notes += addresses.look_at(base_url)
    if not columns["name"]:
        values.notes.append(Finding("no_name", "It has no name: ask for it by its id."))
    known = not any(fault.code in ("bad_id", "bad_owner") for fault in values.faults)
    candidate = Candidate(
        table="models",
        place=row.place,
        id=model_id or None,
        name=str(columns["name"])[:100] if known else "",
        owner=owner or None,
        findings=[*values.faults, *values.notes],
    )
    if not values.faults:
        candidate.incoming = Incoming(id=model_id, columns=columns)
    return candidate


def _sharing(values: Values) -> str:
    """As it is: the policy of Chatbot UI's tables, and ours, shares whatever is not exactly `private`."""
    sharing = values.text("sharing") or "private"
    if sharing not in ("private", "public"):
        text = "Its sharing is neither `private` nor `public`: whatever is not exactly `private` is everybody's."
        values.notes.append(Finding("odd_sharing", text))
    return sharing


def look_at_key(key: str, values: Values) -> Secret | None:
    """The key as it is stored; what no request could carry is imported, and told."""
    if not key.strip():
        values.notes.append(Finding("empty_key", "The API key is empty: requests carry none."))
        return Secret(key) if key else None
    try:
        limits.api_key(key.strip()[: limits.LENGTHS["api_key"]])
    except InvalidValue:
        text = "The API key has characters that no HTTP header can hold: calls answer `Connection error.`, as they did."
        values.notes.append(Finding("unusable_key", text))
    return Secret(key)

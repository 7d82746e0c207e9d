"""A model's key as one of the credentials Google gives out: a key, a token, a service account, a user's consent."""

import json
import re
from collections.abc import Collection, Mapping
from typing import Any, Final, TypeAlias
from urllib.parse import urlsplit

import msgspec

from gateway.errors import ModelMisconfigured
from gateway.secrets import Secret

TOKEN_URI: Final = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
GOOGLES: Final = frozenset(("https://oauth2.googleapis.com", "https://www.googleapis.com"))
"""Where Google itself makes tokens."""
_KEY: Final = re.compile(r"AIza[\w-]{35}|AQ\.[\w.-]{20,}")
"""A key of the API, as opposed to a token."""


class ApiKey(msgspec.Struct, frozen=True):
    """A key that is sent as it is, in a header of its own; there may be none."""

    key: Secret


class AccessToken(msgspec.Struct, frozen=True):
    """A token somebody else keeps fresh."""

    token: Secret


class ServiceAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An identity that signs for itself."""

    email: str
    private_key: Secret
    key_id: str | None
    token_uri: str
    project: str | None


class AuthorizedUser(msgspec.Struct, frozen=True, kw_only=True):
    """A user who agreed once (`gcloud auth application-default login`)."""

    client_id: str
    client_secret: Secret
    refresh_token: Secret
    token_uri: str
    project: str | None


Credential: TypeAlias = ApiKey | AccessToken | ServiceAccount | AuthorizedUser


def credential_of(key: Secret, *, token_origins: Collection[str] = ()) -> Credential:
    """What a model's key is; raises `ModelMisconfigured` for what cannot be used, saying why to the operator alone."""
    text = key.reveal().strip()
    if not text.startswith("{"):
        return ApiKey(Secret(text)) if not text or _KEY.fullmatch(text) else AccessToken(Secret(text))
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        raise misconfigured("the key begins like a credential file of Google and is no valid JSON") from None
    kind = given.get("type")
    if kind == "service_account":
        return ServiceAccount(
            email=_said(given, "client_email"),
            private_key=Secret(_said(given, "private_key")),
            key_id=_optional(given, "private_key_id"),
            token_uri=_token_uri(given, token_origins),
            project=_optional(given, "project_id"),
        )
    if kind == "authorized_user":
        return AuthorizedUser(
            client_id=_said(given, "client_id"),
            client_secret=Secret(_said(given, "client_secret")),
            refresh_token=Secret(_said(given, "refresh_token")),
            token_uri=_token_uri(given, token_origins),
            project=_optional(given, "quota_project_id"),
        )
    raise misconfigured("the key is a JSON of another type than 'service_account' and 'authorized_user'")


def misconfigured(why: str) -> ModelMisconfigured:
    """The error of a model whose credential cannot be used; `why` is for the operator."""
    error = ModelMisconfigured("The model is not configured properly.")
    error.detail = why
    return error


def origin_of(url: str) -> str | None:
    """Scheme, host and port of a URL as they are compared; None where it has none, or a user's name besides."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("https", "http") or not parts.hostname or parts.username is not None:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    usual = {"https": 443, "http": 80}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, usual) else "")


def _token_uri(given: Mapping[str, Any], allowed: Collection[str]) -> str:
    """Where tokens are made: a pasted file must not send what it can sign, or a refresh token, anywhere else."""
    uri = given.get("token_uri", TOKEN_URI)
    origin = origin_of(uri) if isinstance(uri, str) else None
    if origin is None or (origin not in GOOGLES and origin not in allowed):
        where = origin or "no address"
        why = f"its token_uri ({where}) is not Google's; plugins.gemini.token_origins can allow it"
        raise misconfigured(f"the key is a credential file that cannot be used: {why}")
    return str(uri)


def _said(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str) or not value:
        raise misconfigured(f"the key is a credential file of Google without '{name}'")
    return value


def _optional(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    return value if isinstance(value, str) and value else None

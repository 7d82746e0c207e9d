"""Settings of the Supabase project: the table `[plugins.supabase]`."""

import re
from typing import Final, NamedTuple, Self

import ada_url
from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from gateway import Secret

_HEADER_VALUE: Final = re.compile(r"[\x21-\x7e]+")
_COOKIE_NAME: Final = re.compile(r"[\w.!#$%&'*+^`|~-]+", re.ASCII)
_MINIMUM_SECRET: Final = 32
"""Bytes; PostgREST, which shares the secret, takes no shorter one (and RFC 7518 none for HS256)."""


class Project(NamedTuple):
    """A Supabase project that can be asked."""

    url: str
    service_role_key: Secret
    timeout: float
    cache_seconds: float


class TokenRules(NamedTuple):
    """What an access token of the project's users has to be."""

    issuer: str
    audience: str
    cookie: str
    secret: Secret | None
    """Verifies HS256."""
    jwks_url: str | None
    """Where the keys are that verify ES256 and RS256."""
    timeout: float


class Settings(BaseModel):
    """Which Supabase project holds the models, and whether its users may call; without a URL it does nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    url: str | None = None
    """The project's URL, such as `https://abc.supabase.co`. Its host must pass the egress guard like any other."""
    service_role_key: SecretStr | None = None
    """The project's service role key: with it models are looked up in the live project."""
    timeout: float = Field(default=10.0, gt=0, le=300)
    """Seconds one lookup may take."""
    cache_seconds: float = Field(default=0.0, ge=0, le=3600)
    """How long a found model is remembered; 0 asks for every exchange."""
    users: bool = False
    """Whether the project's signed-in users may call, with the access token or the cookie that its libraries hold."""
    jwt_secret: SecretStr | None = None
    """The project's JWT secret, if it signs tokens with one (HS256)."""
    jwks_url: str | None = None
    """Where its signing keys are published (ES256, RS256); without a secret, `URL/auth/v1/.well-known/jwks.json`."""
    issuer: str | None = None
    """Who issues the tokens (`iss`), if it is not `URL/auth/v1`."""
    audience: str = Field(default="authenticated", min_length=1)
    """For whom they are issued (`aud`)."""
    cookie: str | None = None
    """Name of the session's cookie, if it is not `sb-NAME-auth-token` with the first part of the URL's host."""

    @field_validator("url", "jwks_url")
    @classmethod
    def _http(cls, value: str | None) -> str | None:
        text = (value or "").strip().removesuffix("/")
        if not text:
            return None
        try:
            parsed = ada_url.URL(text)
        except ValueError:
            raise ValueError("is no URL") from None
        if parsed.protocol not in ("http:", "https:"):
            raise ValueError("must begin with 'https://' or 'http://'")
        if parsed.username or parsed.password or parsed.search or parsed.hash:
            raise ValueError("must hold neither credentials, a query nor a fragment")
        return text

    @field_validator("service_role_key")
    @classmethod
    def _usable(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value().strip() if value else ""
        if not text:
            return None
        if not _HEADER_VALUE.fullmatch(text):
            raise ValueError("holds characters that no HTTP header can carry")
        return SecretStr(text)

    @field_validator("jwt_secret")
    @classmethod
    def _long(cls, value: SecretStr | None) -> SecretStr | None:
        text = value.get_secret_value().strip() if value else ""
        if value is None:
            return None
        if len(text.encode("utf-8", "surrogatepass")) < _MINIMUM_SECRET:
            raise ValueError(f"must have at least {_MINIMUM_SECRET} bytes")
        if "-----BEGIN" in text:
            raise ValueError("is a key pair's, not the project's JWT secret; public keys come from jwks_url")
        return SecretStr(text)

    @field_validator("issuer")
    @classmethod
    def _said(cls, value: str | None) -> str | None:
        return (value or "").strip() or None

    @field_validator("cookie")
    @classmethod
    def _name(cls, value: str | None) -> str | None:
        if value and not _COOKIE_NAME.fullmatch(value):
            raise ValueError("is no name for a cookie")
        return value or None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.url and not self.service_role_key and not self.users:
            raise ValueError("url is set without service_role_key; set both or neither, or users = true")
        if not self.url and (self.service_role_key or self.users):
            name = "service_role_key" if self.service_role_key else "users"
            raise ValueError(f"{name} is set without url; set both or neither")
        if not self.users and (self.jwt_secret or self.jwks_url):
            name = "jwt_secret" if self.jwt_secret else "jwks_url"
            raise ValueError(f"{name} is set, but the project's users may not call; set users = true, or remove it")
        return self

    @property
    def project(self) -> Project | None:
        """What to ask; None while no URL is set."""
        if self.url is None or self.service_role_key is None:
            return None
        return Project(self.url, Secret(self.service_role_key.get_secret_value()), self.timeout, self.cache_seconds)

    @property
    def token_rules(self) -> TokenRules | None:
        """What the users' tokens have to be; None while users may not call."""
        if self.url is None or not self.users:
            return None
        secret = Secret(self.jwt_secret.get_secret_value()) if self.jwt_secret else None
        published = None if secret else f"{self.url}/auth/v1/.well-known/jwks.json"
        return TokenRules(
            issuer=self.issuer or f"{self.url}/auth/v1",
            audience=self.audience,
            cookie=self.cookie or f"sb-{ada_url.URL(self.url).hostname.partition('.')[0]}-auth-token",
            secret=secret,
            jwks_url=self.jwks_url or published,
            timeout=self.timeout,
        )

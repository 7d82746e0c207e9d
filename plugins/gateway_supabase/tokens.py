"""The access tokens of a project's users: told from others', and verified."""

import re
from typing import Any, Final

import jwt
import msgspec

from gateway import Secret
from gateway.wire.ids import parse_uuid
from gateway_supabase.keyset import KeySet
from gateway_supabase.settings import TokenRules

_SHAPE: Final = re.compile(r"[\w-]+\.[\w-]+\.[\w-]*", re.ASCII)
_LONGEST: Final = 1 << 16
_LEEWAY: Final = 10
"""Seconds by which the clocks may differ."""
_REQUIRED: Final = ("exp", "iss", "aud", "sub")


class BadToken(Exception):
    """A token of the project's that is not good; the message says why, and nothing of the token."""


class _Header(msgspec.Struct):
    alg: str
    kid: str | None = None


class _Claims(msgspec.Struct):
    iss: str


class Token(msgspec.Struct, frozen=True):
    """A token that has the form of one; nothing in it is verified."""

    text: Secret
    algorithm: str
    key_id: str | None
    issuer: str


def read_token(text: str) -> Token | None:
    """What a text says of itself if it is a JWT."""
    if len(text) > _LONGEST or not _SHAPE.fullmatch(text):
        return None
    header, claims, _ = text.split(".")
    try:
        head = msgspec.json.decode(jwt.utils.base64url_decode(header), type=_Header)
        said = msgspec.json.decode(jwt.utils.base64url_decode(claims), type=_Claims)
    except (ValueError, RecursionError):
        return None
    return Token(Secret(text), head.alg, head.kid, said.iss)


class Verifier:
    """Verifies tokens: by the project's secret, by its public keys, or by whichever of the two a token is for.

    Each key verifies with its own algorithm alone. The token's header only chooses among the keys that are configured.
    """

    def __init__(self, rules: TokenRules, keys: KeySet | None) -> None:
        self._rules = rules
        self._keys = keys

    def owns(self, token: Token) -> bool:
        """Whether the token says that it is the project's."""
        return token.issuer == self._rules.issuer

    async def user(self, token: Token) -> str:
        """The id of the user; raises `BadToken`, and `KeysUnavailable` when the project's keys cannot be had."""
        key, algorithm = await self._key(token)
        why = "the subject is no uuid"
        try:
            claims = self._decode(token.text, key, algorithm)
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            why, claims = type(error).__name__, {}
        subject = claims.get("sub")
        user = parse_uuid(subject) if isinstance(subject, str) else None
        if user is None:
            raise BadToken(why)  # out here, where the library's error is not its context: that may hold the claims
        return user

    async def _key(self, token: Token) -> tuple[Any, str]:
        if token.algorithm == "HS256" and self._rules.secret is not None:
            return self._rules.secret.reveal(), "HS256"
        if token.algorithm not in ("ES256", "RS256") or self._keys is None or not token.key_id:
            raise BadToken("no key is configured for its algorithm")
        found = await self._keys.find(token.key_id)
        if found is None:
            raise BadToken("the key id is unknown")
        return found

    def _decode(self, text: Secret, key: Any, algorithm: str) -> dict[str, Any]:
        return jwt.decode(
            text.reveal(),
            key,
            algorithms=[algorithm],
            audience=self._rules.audience,
            issuer=self._rules.issuer,
            leeway=_LEEWAY,
            options={"require": list(_REQUIRED)},
        )

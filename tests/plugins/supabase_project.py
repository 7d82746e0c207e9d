"""A Supabase project on a loopback socket: its models, its public keys, and tokens of its users in every state."""

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64encode
from typing import Any, NamedTuple
from urllib.parse import quote

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from gateway.testing.loopback import Connection, ReceivedRequest
from gateway.testing.postgrest import PostgrestStandIn

ALICE = "a11ce000-0000-4000-8000-000000000001"
BOB = "b0b00000-0000-4000-8000-000000000002"
SECRET = "a-project-secret-canary-of-more-than-32-bytes"
JWKS = "/auth/v1/.well-known/jwks.json"


def claims(origin: str, user: str = ALICE, **changes: Any) -> dict[str, Any]:
    """What the token of a signed-in user says; a change to None leaves the claim out."""
    now = int(time.time())
    said = {
        "iss": f"{origin}/auth/v1",
        "sub": user,
        "aud": "authenticated",
        "exp": now + 3600,
        "iat": now,
        "role": "authenticated",
        "email": "somebody@example.com",
        "session_id": "c0ffee00-0000-4000-8000-000000000003",
        **changes,
    }
    return {name: value for name, value in said.items() if value is not None}


def by_secret(said: dict[str, Any], secret: str = SECRET) -> str:
    """A token signed with the project's secret."""
    return jwt.encode(said, secret, "HS256")


def written(header: dict[str, Any], said: dict[str, Any], key: bytes | None = None) -> str:
    """A token that no library would write: any header, and any bytes for an HMAC's key, or no signature."""
    text = ".".join(_base64(json.dumps(part).encode()) for part in (header, said))
    return f"{text}.{_base64(hmac.digest(key, text.encode(), hashlib.sha256)) if key is not None else ''}"


class Signer(NamedTuple):
    """A signing key of the project's."""

    key: Any
    algorithm: str
    key_id: str

    @classmethod
    def ec(cls, key_id: str) -> "Signer":
        return cls(ec.generate_private_key(ec.SECP256R1()), "ES256", key_id)

    @classmethod
    def rsa(cls, key_id: str, bits: int = 2048) -> "Signer":
        return cls(rsa.generate_private_key(65537, bits), "RS256", key_id)

    def token(self, said: dict[str, Any], **header: Any) -> str:
        named = {name: value for name, value in {"kid": self.key_id, **header}.items() if value is not None}
        return jwt.encode(said, self.key, self.algorithm, headers=named)

    def jwk(self, **changes: Any) -> dict[str, Any]:
        """The public key as the project publishes it."""
        kind = ECAlgorithm if self.algorithm == "ES256" else RSAAlgorithm
        published = kind.to_jwk(self.key.public_key(), as_dict=True)
        return {**published, "kid": self.key_id, "alg": self.algorithm, "use": "sig", "key_ops": ["verify"], **changes}

    def public_bytes(self) -> dict[str, bytes]:
        """All that somebody could take for the secret of an HMAC when it is the public key."""
        public = self.key.public_key()
        return {
            "pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
            "stripped pem": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).strip(),
            "der": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
            "jwk": json.dumps(self.jwk()).encode(),
            "nothing": b"",
        }


class SupabaseProject(PostgrestStandIn):
    """The stand-in for the models, which publishes signing keys, too."""

    def __init__(self, *signers: Signer) -> None:
        super().__init__("service-key-canary")
        self.published: Any = {"keys": [signer.jwk() for signer in signers]}
        self.status = 200
        self.fetches = 0

    def publish(self, *signers: Signer) -> None:
        """Publish these keys from now on."""
        self.published = {"keys": [signer.jwk() for signer in signers]}

    async def answer(self, request: ReceivedRequest, connection: Connection) -> None:
        """Answer one request."""
        if request.target != JWKS:
            return await super().answer(request, connection)
        assert request.header("authorization") is None
        assert request.header("apikey") is None
        self.fetches += 1
        connection.reply(self.status, json.dumps(self.published).encode())
        await connection.writer.drain()
        return None


def session(token: str) -> dict[str, Any]:
    """What `auth-js` gives its storage."""
    user = {"id": ALICE, "user_metadata": {"full_name": 'Zoë; Ωmega, \N{PARTY POPPER} 100% "quoted"'}}
    return {"access_token": token, "token_type": "bearer", "expires_in": 3600, "refresh_token": "r", "user": user}


def cookies(name: str, token: str) -> dict[str, str]:
    """The Cookie header in every form that a library writes, by the name of the form."""
    whole, array = _json(session(token)), _json([token, "r", None, None, None])
    encoded = "base64-" + _base64(whole.encode())
    forms = {
        "object": f"{name}={quote(whole, safe='')}",
        "array": f"{name}={quote(array, safe='')}",
        "array as it is": f"{name}={array}",
        "base64": f"{name}={encoded}",
        "base64, padded": f"{name}={encoded}{'=' * (-len(encoded) % 4)}",
        "base64, encoded again": f"{name}={quote(encoded + '==', safe='')}",
        "quoted": f'{name}="{encoded}"',
        "object in pieces": _pieces(name, whole),
        "array in pieces": _pieces(name, array),
        "base64 in pieces": _pieces(name, encoded),
        "pieces in any order": "; ".join(reversed(_pieces(name, encoded).split("; "))),
        "twelve pieces": _pieces(name, encoded, len(encoded) // 12 + 1),
        "beside stale pieces": f"{name}.0=stale; {name}={encoded}; {name}.1=stale",
    }
    return {form: f"theme=dark; {header}; sb-other-auth-token-code-verifier=x" for form, header in forms.items()}


def _pieces(name: str, value: str, size: int = 300) -> str:
    parts = [value[at : at + size] for at in range(0, len(value), size)]
    return "; ".join(f"{name}.{number}={quote(part, safe='')}" for number, part in enumerate(parts))


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()

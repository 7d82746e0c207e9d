"""The ids of answers as clients see them, where an upstream keeps its answers and a later request goes on from one.

    resp_<tag>.<the upstream's own id>

The tag names the model that made the answer, and proves for whom: it is all that is needed to lead the id back, in any
worker, on any host, after any restart. Nothing is stored.
"""

import base64
import binascii
import hashlib
import hmac
import re
import uuid
from collections.abc import Callable
from typing import Final, NamedTuple

import msgspec

from gateway.domain import Attempt, Model, Principal
from gateway.errors import InvalidRequest
from gateway.protocols import ClientDialect
from gateway.requests import ChatRequest
from gateway.wire.json import decode_value, encode_value

_PREFIX: Final = "resp_"
_PROOF: Final = 12
"""Bytes of the tag that prove: nobody can try more than a few of them."""
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:@/=+~-]{1,512}")
"""Ids that stand in JSON as they are; an answer with any other keeps it, and nothing can go on from it."""


class Kept(NamedTuple):
    """An answer that an upstream keeps."""

    model: str
    """The id of the model that made it."""
    id: str
    """What its upstream calls it."""


class AnswerNotFound(InvalidRequest):
    """There is no such answer for this caller."""

    code = "previous_response_not_found"


class AnswerNames:
    """Names answers, and reads the names; `secret` is asked for when it is needed, and is the same in every process."""

    __slots__ = ("_secret",)

    def __init__(self, secret: Callable[[], bytes]) -> None:
        self._secret = secret

    def name(self, kept: Kept, principal: Principal) -> str:
        """What the caller is told."""
        if not _PLAIN.fullmatch(kept.id):
            return kept.id
        tag = self._proof(kept, principal) + _packed(kept.model)
        return f"{_PREFIX}{base64.urlsafe_b64encode(tag).decode().rstrip('=')}.{kept.id}"

    def read(self, name: str, principal: Principal) -> Kept | None:
        """The answer of that name; None for a name that was made up, or told to somebody else."""
        tag, dot, id = name.removeprefix(_PREFIX).partition(".")
        if not dot or not name.startswith(_PREFIX):
            return None
        try:
            said = base64.b64decode(tag + "=" * (-len(tag) % 4), altchars=b"-_", validate=True)
            kept = Kept(_unpacked(said[_PROOF:]), id)
        except (binascii.Error, ValueError):
            return None
        return kept if hmac.compare_digest(said[:_PROOF], self._proof(kept, principal)) else None

    def of(self, attempt: Attempt, dialect: ClientDialect, request: ChatRequest) -> "Naming | None":
        """How this attempt's answer is named; None where nothing can go on from it."""
        field, principal = getattr(dialect, "continues", None), attempt.exchange.principal
        if field is None or principal is None or request.dialect != dialect.name:
            return None
        if bytes(request.fields.get("store", b"")) == b"false" and field not in request.fields:
            return None
        before = decode_value(request.fields[field]) if field in request.fields else None
        return Naming(self, attempt.model, principal, before if isinstance(before, str) else None)

    def _proof(self, kept: Kept, principal: Principal) -> bytes:
        whose = f"owner {principal.owner}" if principal.owner is not None else f"principal {principal.id}"
        said = "\0".join(("answer", whose, kept.model, kept.id)).encode("utf-8", "surrogatepass")
        return hmac.digest(self._secret(), said, hashlib.sha256)[:_PROOF]


class Naming:
    """Names one attempt's answer, in the bytes of an upstream of the client's dialect."""

    __slots__ = ("_before", "_model", "_names", "_principal", "_told")

    def __init__(self, names: AnswerNames, model: Model, principal: Principal, before: str | None) -> None:
        self._names, self._model, self._principal, self._before = names, model, principal, before
        self._told: dict[str, str] = {}

    def told(self, id: str) -> str:
        """What the client is told for an upstream's id."""
        if id not in self._told:
            self._told[id] = self._names.name(Kept(self._model.id, id), self._principal)
        return self._told[id]

    def spliced(self, raw: bytes, id: str | None) -> bytes:
        """JSON of an answer, its id and that of the answer before it as the client knows them; nothing else changes.

        A quoted id cannot stand inside another string of JSON: its quotes would be escaped there.
        """
        for said in (id, self._before):
            if said is not None:
                raw = raw.replace(_quoted(said), _quoted(self.told(said)), 1)
        return raw


def continued(
    names: AnswerNames, dialect: ClientDialect, request: ChatRequest, principal: Principal
) -> tuple[ChatRequest, Kept | None]:
    """The request as the upstream knows it, and the answer it goes on from; raises `AnswerNotFound`."""
    field = getattr(dialect, "continues", None)
    given = decode_value(request.fields[field]) if field is not None and field in request.fields else None
    if field is None or given is None:
        return request, None
    kept = names.read(given, principal)
    if kept is None:
        raise not_found(given, field)
    return request.with_fields(**{field: encode_value(kept.id)}), kept


def not_found(name: str, param: str) -> AnswerNotFound:
    """The refusal of a name that leads nowhere."""
    hint = 'Answers that say "store": true can be gone on from, by whom they were given to.'
    return AnswerNotFound(f"Previous response with id '{name}' not found. {hint}", param=param)


def _quoted(text: str) -> bytes:
    return msgspec.json.encode(text)


def _packed(model: str) -> bytes:
    try:
        said = uuid.UUID(model)
    except ValueError:
        return b"\1" + model.encode("utf-8", "surrogatepass")
    return b"\0" + said.bytes if str(said) == model else b"\1" + model.encode()


def _unpacked(said: bytes) -> str:
    """Raises `ValueError`."""
    return str(uuid.UUID(bytes=said[1:])) if said[:1] == b"\0" else said[1:].decode("utf-8", "surrogatepass")

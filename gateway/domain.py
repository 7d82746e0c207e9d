"""The nouns: principals, models, routes, exchanges, attempts, usage records.

Frozen structs are data and may be shared; `Exchange` and `Attempt` are one request's state and live as long as it does.
"""

import hashlib
import time
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from gateway.headers import check_added
from gateway.secrets import Secret
from gateway.terms import CREDENTIALS, Limits, RouteOptions, Terms

if TYPE_CHECKING:
    from gateway.errors import GatewayError, Headers
    from gateway.events import Answer
    from gateway.requests import ChatRequest

Scope = Literal["chat", "admin"]
Lane = Literal["exact", "parsed", "translated"]
"""How an answer passed: its bytes as they came, in its dialect with changes, or in another dialect."""
Source = Literal["model", "catalog", "none"]
"""Who says a price or a context length: the model's own row, a public catalog, nobody."""


class Credentials(msgspec.Struct, frozen=True):
    """What a request brought to prove who sent it; extracted once, in one place."""

    token: Secret | None = None
    """The one credential of the headers (`Authorization: Bearer`, `x-api-key`, `api-key`)."""
    cookie: str = ""
    """The raw Cookie header; empty where a header credential was sent."""
    client: str = ""
    """Address of the peer, without port."""


class Principal(msgspec.Struct, frozen=True):
    """Who calls. `owner` is compared with a model's owner; None is the operator."""

    id: str
    owner: str | None = None
    scopes: frozenset[str] = frozenset({"chat"})
    unrestricted: bool = False
    """True only for the open route's caller: ownership is not checked."""
    name: str = ""
    """What the virtual key is called; not unique."""
    limits: Limits | None = None
    """What the key itself says that it may take; None where it says nothing. A limiter keeps them."""
    detach: bool = False
    """Whether its exchanges go on to their end although the client has left."""

    def may_use(self, thing: "Model | Route") -> bool:
        """Whether it is shared with this caller or owned by the same owner (null equals null).

        Who may use a route may not for that use its models: each of them is asked about as well.
        """
        return self.unrestricted or thing.sharing != "private" or thing.owner == self.owner


class Timeouts(msgspec.Struct, frozen=True):
    """Limits of one attempt, in seconds."""

    connect: float = 5.0
    """Name resolution, TCP and TLS together."""
    first: float = 300.0
    """From the dial to the first content event; bytes before it do not extend it."""
    idle: float = 60.0
    """Between two reads after the first content."""
    total: float = 900.0
    """The whole attempt."""


class Prices(msgspec.Struct, frozen=True):
    """US dollars for a million tokens; None is unknown, never free."""

    input: float | None = None
    output: float | None = None
    cache_read: float | None = None
    cache_write: float | None = None

    def cost(
        self, *, input: int | None, output: int | None, cache_read: int | None = None, cache_write: int | None = None
    ) -> float | None:
        """US dollars for these tokens, the cached ones part of `input`; None where a price or a count is unknown."""
        if input is None or output is None:
            return None
        read, write = cache_read or 0, cache_write or 0
        plain = max(0, input - read - write)
        prices = self.input, self.output, self.cache_read, self.cache_write
        total = 0.0
        for tokens, price in zip((plain, output, read, write), prices, strict=True):
            if tokens:
                if price is None:
                    return None
                total += tokens * price
        return total / 1_000_000


class Quirks(msgspec.Struct, frozen=True):
    """How an OpenAI-compatible upstream differs; the defaults are OpenAI itself."""

    omit: frozenset[str] = frozenset()
    """Request fields the upstream refuses; `messages.name` is the field `name` of every message."""
    rename: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Request fields it knows under another name (`max_tokens` -> `max_completion_tokens`), or inside an object
    (`reasoning_effort` -> `reasoning.effort`)."""
    roles: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Roles of messages it knows under another name (`developer` -> `system`)."""
    response_format: Literal["schema", "json", "none"] | None = None
    """The most it takes of `response_format`: a schema (as None), any JSON object, nothing. What it does not take is
    asked for in words."""
    keep: frozenset[str] = frozenset()
    """Request fields that are sent as they are, although the provider's own table omits or renames them."""

    def over(self, table: "Quirks") -> "Quirks":
        """These and, where they say nothing, what a provider's table says."""
        if self == _NONE:
            return table
        rename = {**table.rename, **self.rename}
        return Quirks(
            omit=table.omit - self.keep - self.rename.keys() | self.omit,
            rename={name: known for name, known in rename.items() if name not in self.keep},
            roles={**table.roles, **self.roles},
            response_format=self.response_format or table.response_format,
            keep=self.keep,
        )


_NONE: Final = Quirks()


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """One upstream model behind one base URL with one credential."""

    id: str
    name: str
    model_id: str
    base_url: str
    api_key: Secret = Secret("")
    provider: str = "openai"
    owner: str | None = None
    sharing: str = "private"
    description: str = ""
    context_length: int | None = None
    """Tokens of prompt and answer together; None is unknown, never small."""
    enabled: bool = True
    parameters: Mapping[str, Any] = msgspec.field(default_factory=dict)
    """Request fields sent when the client did not give them."""
    quirks: Quirks = Quirks()
    headers: Mapping[str, str] = msgspec.field(default_factory=dict)
    timeouts: Timeouts = Timeouts()
    prices: Prices = Prices()
    capabilities: frozenset[str] = frozenset()
    from_catalog: frozenset[str] = frozenset()
    """`prices` and `context_length` where they are a public catalog's, because the model's row does not say them."""
    fault: str = ""
    """Why it cannot be called, for the operator alone; empty when it can."""
    tenant: bytes = b""
    """Digest of provider, base URL and credential: connections and clients are never shared across it."""
    health_key: bytes = b""
    """Digest of base URL, credential and upstream model: what cools down together."""

    def __post_init__(self) -> None:
        key = self.api_key.digest()
        force = msgspec.structs.force_setattr
        url, model = (v.encode("utf-8", "surrogatepass") for v in (self.base_url, self.model_id))
        force(self, "tenant", hashlib.blake2b(b"\0".join((self.provider.encode(), url, key)), digest_size=16).digest())
        force(self, "health_key", hashlib.blake2b(b"\0".join((url, key, model)), digest_size=16).digest())

    @property
    def prices_from(self) -> Source:
        """Who says the prices."""
        return self._source("prices", known=self.prices != Prices())

    @property
    def context_length_from(self) -> Source:
        """Who says the context length."""
        return self._source("context_length", known=self.context_length is not None)

    def _source(self, field: str, *, known: bool) -> Source:
        if not known:
            return "none"
        return "catalog" if field in self.from_catalog else "model"


_PLAIN: Final = Terms()


class Route(msgspec.Struct, frozen=True):
    """A name clients may ask for and the models that stand behind it, in the order they were written."""

    name: str
    targets: tuple[Model, ...]
    strategy: str = "ordered"
    """Name of the routing strategy; `ordered` is built in."""
    is_model: bool = False
    """True when the name is a model's own id or name: a route of one."""
    terms: Mapping[str, Terms] = msgspec.field(default_factory=dict)
    """On what terms targets take part, by the model's id; see `terms_of`."""
    options: RouteOptions = RouteOptions()
    id: str = ""
    owner: str | None = None
    sharing: str = "private"

    def terms_of(self, model: Model) -> Terms:
        """The terms of one of the targets."""
        return self.terms.get(model.id, _PLAIN)

    @classmethod
    def of(cls, model: Model, name: str | None = None) -> "Route":
        """The route of one that every model is."""
        return cls(name or model.name, (model,), is_model=True)


class Outcome(StrEnum):
    """How an exchange or an attempt ended; exactly one for each."""

    OK = "ok"
    UPSTREAM_ERROR = "upstream_error"
    TRUNCATED = "truncated"
    CLIENT_ABORT = "client_abort"
    CLIENT_SLOW = "client_slow"
    REJECTED = "rejected"
    GATEWAY_ERROR = "gateway_error"
    SHUTDOWN = "shutdown"
    SUPERSEDED = "superseded"
    """Another attempt of the same exchange answered first."""
    LOST = "lost"
    """It began, and the process ended before it did; found so at the next start."""


Reason = Literal["first", "retry", "failover", "hedge"]
"""Why an attempt is made: as the exchange's first, at the same model again, at another, beside one that is slow."""


class UsageRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What one attempt consumed; exactly one for each attempt. Token counts nobody reported are None."""

    attempt_id: str
    exchange_id: str
    principal_id: str
    owner: str | None
    route: str
    model_id: str
    model_name: str
    provider: str
    number: int
    """1 for the first attempt of its exchange."""
    reason: Reason = "first"
    """Why it was made."""
    started_at: float
    """Seconds since the epoch."""
    duration: float = 0.0
    """Seconds from the dial to the end."""
    first_content: float | None = None
    """Seconds from the dial to the first content event."""
    outcome: Outcome
    status: int | None = None
    error_code: str | None = None
    provenance: Literal["reported", "partial", "estimated", "none"] = "none"
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    deltas: int = 0
    """Content frames seen: the base of an estimate."""
    finish_reason: str | None = None
    cost: float | None = None
    """US dollars by the model's prices; None where a price or a count is unknown, never a guess."""


class Attempt:
    """One call to one model inside an exchange; filled in as it goes.

    It has its `exchange` until that one is settled. Who keeps the exchange keeps its attempts, too.
    """

    __slots__ = (
        "answer",
        "dry",
        "ended",
        "error",
        "exchange",
        "first_content",
        "id",
        "lane",
        "model",
        "number",
        "outcome",
        "reason",
        "request",
        "started",
        "started_at",
        "upstream_headers",
        "upstream_status",
    )

    def __init__(self, exchange: "Exchange", model: Model, number: int, reason: Reason = "first") -> None:
        self.id = f"{exchange.id}-{number}"
        self.exchange = exchange
        self.model = model
        self.number = number
        self.reason: Reason = reason
        self.dry = False
        """True when nothing is sent and the request is only looked at: no token has to be fetched for it."""
        self.started = time.monotonic()
        self.started_at = time.time()
        self.first_content: float | None = None
        """Monotonic time of the first content event."""
        self.ended: float | None = None
        self.request: ChatRequest | None = None
        """As it was sent to this model; it knows what had no place."""
        self.upstream_status: int | None = None
        self.upstream_headers: Headers = ()
        self.lane: Lane | None = None
        """Known once the upstream has answered."""
        self.answer: Answer | None = None
        self.error: GatewayError | None = None
        self.outcome: Outcome | None = None

    @property
    def heard_out(self) -> bool:
        """Whether the upstream's answer was read to its proper end, even if its client did not take it."""
        return self.outcome is Outcome.OK or (self.error is None and self.answer is not None and self.answer.ended)


class Exchange:
    """One client request from arrival to settlement."""

    __slots__ = (
        "_added",
        "answer",
        "attempts",
        "clock",
        "error",
        "exposed",
        "headers",
        "id",
        "outcome",
        "principal",
        "request",
        "route",
        "started",
        "state",
        "status",
        "surface",
        "timings",
    )

    def __init__(self, id: str, surface: str) -> None:
        self.id = id
        self.surface = surface
        """Name of the client's dialect."""
        self.clock = ""
        """The header in which that dialect tells how many milliseconds an answer took; empty where it has none."""
        self.exposed = False
        """Whether the caller may see which models, providers and plugins took part."""
        self.headers: Sequence[tuple[bytes, bytes]] = ()
        """As the client sent them, credentials among them: ask `header`."""
        self.started = time.monotonic()
        self.principal: Principal | None = None
        self.request: ChatRequest | None = None
        self.route: Route | None = None
        self.attempts: list[Attempt] = []
        """The last one is the one that answered, or failed last."""
        self.answer: Answer | None = None
        """The answer of the last attempt; what limiters, sinks and metrics read at settlement."""
        self.error: GatewayError | None = None
        self.outcome: Outcome | None = None
        self.status: int | None = None
        """What the client's status line said, once the exchange is settled; None when none went out."""
        self._added: Headers = ()
        self.timings: dict[str, float] = {}
        """Seconds spent in each plugin so far, by `stage.plugin`."""
        self.state: dict[str, Any] = {}
        """What plugins keep for this exchange from one stage to another, each under its short name."""

    @property
    def added_headers(self) -> "Headers":
        """What plugins add to its answer's, refusals included; setting what no answer can hold raises `ValueError`."""
        return self._added

    @added_headers.setter
    def added_headers(self, headers: "Headers") -> None:
        check_added(headers)
        self._added = tuple(headers)

    def header(self, name: str) -> str | None:
        """What the client sent under this name, lower case; None for what it did not send, and for credentials."""
        wanted = name.encode("latin-1", "replace")
        if wanted not in dict(self.headers) or name in CREDENTIALS:
            return None  # as nearly always: most of what is asked for was not sent
        return ", ".join([value.decode("latin-1") for sent, value in self.headers if sent == wanted])

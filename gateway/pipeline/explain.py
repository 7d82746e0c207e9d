"""A dry run of the pipeline: every stage is asked, nothing is sent to an upstream."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from gateway.domain import Attempt, Credentials, Exchange, Lane, Model, Principal, Route
from gateway.egress import Capture, CapturedRequest
from gateway.errors import GatewayError, ModelNotFound, Unauthenticated
from gateway.pipeline.calls import Calls
from gateway.pipeline.choosing import held, waits
from gateway.pipeline.explanation import (
    Caller,
    Candidate,
    Change,
    Explanation,
    Left,
    LookupAnswer,
    Price,
    Question,
    Sent,
)
from gateway.pipeline.lanes import relay_for
from gateway.pipeline.router import Router
from gateway.pipeline.steps import start_steps
from gateway.protocols import ByteUpstream, EventUpstream
from gateway.requests import ChatRequest
from gateway.routing import select
from gateway.runtime import Generation
from gateway.secrets import Secret, redact
from gateway.wire.chat import CHAT_CLIENT, CHAT_PROMPTS

_MASK = "***"
_BYTES_PER_TOKEN = 4
_STAGES = (
    *("authenticators", "lookups", "limiters", "request_transforms"),
    *("error_mappers", "stream_transforms", "stream_observers", "usage_sinks"),
)
_QUIET = frozenset({"content-type", "accept", "user-agent"})
"""Headers whose values are shown; any other may be a credential."""


async def explain(
    generation: Generation, router: Router, calls: Calls, capture: Capture, asker: Principal, question: Question
) -> Explanation:
    """How this question would be answered; a refusal on the way is told, not raised."""
    dry = _DryRun(generation, router, calls, capture)
    try:
        await dry.run(asker, question)
    except GatewayError as error:
        dry.told.refused = f"{error.status} {error.code}: {error.message}".rstrip(": ")
    return dry.told


class _DryRun:
    def __init__(self, generation: Generation, router: Router, calls: Calls, capture: Capture) -> None:
        self._generation = generation
        self._router = router
        self._calls = calls
        self._capture = capture
        self.told = Explanation(generation=generation.number, stages=_stages(generation))

    async def run(self, asker: Principal, question: Question) -> None:
        exchange = Exchange("explain", "explain")
        principal = exchange.principal = await self._caller(asker, question.key)
        exchange.headers = [
            (name.lower().encode("latin-1", "replace"), value.encode("latin-1", "replace"))
            for name, value in question.headers.items()
        ]
        message = msgspec.Raw(b'[{"role":"user","content":"Hello"}]')
        fields = {"model": msgspec.Raw(msgspec.json.encode(question.model)), "messages": message, **question.fields}
        exchange.request = ChatRequest(
            dialect="chat",
            model=question.model,
            stream=True,
            fields={**fields, "stream": msgspec.Raw(b"true")},
            codec=CHAT_PROMPTS,
        )
        route = await self._look_up(question.model, principal)
        allowed = tuple(model for model in route.targets if model.enabled and principal.may_use(model))
        exchange.route = msgspec.structs.replace(route, targets=allowed)
        if not allowed:
            self._candidates(route, principal, (), {})
            raise ModelNotFound("No model of this route is enabled and allowed.")
        self._limits(exchange)
        exchange.request = await self._transform(exchange)
        try:
            order, excluded = self._router.choose(self._generation, exchange, exchange.request)
        except GatewayError:
            excluded = select(exchange.route, exchange.request, exchange).excluded
            waiting = held(self._router.health, allowed)
            self._candidates(route, principal, (), {**{id: waits(left) for id, left in waiting.items()}, **excluded})
            raise
        self._candidates(route, principal, order, excluded)
        await self._request(exchange, order[0])

    async def _caller(self, asker: Principal, key: str | None) -> Principal:
        principal, by = asker, None
        if key is not None:
            for authenticator in self._generation.authenticators:
                asked = authenticator.object.authenticate(Credentials(token=Secret(key)))
                known = await self._calls.within(asked)
                if known is not None:
                    principal, by = known, authenticator.plugin
                    break
            else:
                raise Unauthenticated("No authenticator knows this key.")
        scopes = sorted(principal.scopes)
        self.told.caller = Caller(id=principal.id, owner=principal.owner, scopes=scopes, by=by)
        return principal

    async def _look_up(self, name: str, principal: Principal) -> Route:
        answers = self.told.lookups
        for lookup in self._generation.lookups:
            try:
                route = await self._calls.within(lookup.object.find(name, principal))
            except GatewayError as error:
                said = f"{error.code}: {error.message}" if error.message else error.code
                answers.append(LookupAnswer(plugin=lookup.plugin, answer=said))
                if not isinstance(error, ModelNotFound):
                    raise
                continue
            answers.append(LookupAnswer(plugin=lookup.plugin, answer="found" if route else "not mine"))
            if route is not None:
                self.told.route, self.told.strategy = route.name, route.strategy
                return route
        raise ModelNotFound("No model lookup knows this name.")

    def _limits(self, exchange: Exchange) -> None:
        for limiter in self._generation.limiters:
            left: Callable[[Exchange], Mapping[str, Any]] | None = getattr(limiter.object, "left", None)
            if left is None:
                continue
            try:
                said = {str(name): value for name, value in left(exchange).items()}
            except Exception as error:  # noqa: BLE001 - a named border: what cannot be told keeps nothing else from it
                said = {"error": f"{type(error).__name__}: {error}"}
            if said:
                self.told.limits.append(Left(plugin=limiter.plugin, left=said))

    async def _transform(self, exchange: Exchange) -> ChatRequest:
        changes = self.told.transforms
        request = exchange.request
        assert request is not None
        for changer in self._generation.request_transforms:
            try:
                after = await self._calls.within(changer.object.transform(request, exchange))
            except GatewayError as error:
                changes.append(Change(plugin=changer.plugin, changed={}, error=error.message or error.code))
                raise
            changes.append(Change(plugin=changer.plugin, changed=_difference(request, after)))
            request = after
        return request

    def _candidates(
        self, route: Route, principal: Principal, order: Sequence[Model], excluded: Mapping[str, str]
    ) -> None:
        rest = [model for model in route.targets if model not in order]
        self.told.candidates = [
            Candidate(
                id=model.id,
                name=model.name,
                provider=model.provider,
                excluded=_why_not(model, principal, order, excluded),
                cooling=self._router.health.cooling(model),
                priority=route.terms_of(model).priority,
                weight=route.terms_of(model).weight,
                health=self._router.health.of(model),
            )
            for model in (*order, *rest)
        ]

    async def _request(self, exchange: Exchange, model: Model) -> None:
        attempt = Attempt(exchange, model, 1)
        attempt.dry = True
        exchange.attempts.append(attempt)
        assert exchange.request is not None
        with self._capture() as captured, self._router.clients.lease(self._generation, model) as client:
            try:
                upstream = await self._calls.within(client.open(exchange.request, attempt))
                if isinstance(upstream, EventUpstream):
                    await self._calls.within(upstream.events.__anext__())
                else:
                    self.told.lane = self._lane(exchange, upstream)
            except Exception:  # noqa: BLE001, S110 - an answer of nothing may be too little for it; what it sent counts
                pass
        if captured:
            self.told.upstream = _masked(captured[0], model)
            self.told.price = _price(exchange.request, model)

    def _lane(self, exchange: Exchange, upstream: ByteUpstream) -> Lane:
        """For a client that speaks the dialect of the question, as far as the transforms say now."""
        assert exchange.request is not None
        steps = start_steps(self._generation, exchange, self._calls)
        return relay_for(upstream, CHAT_CLIENT, exchange.request, steps=steps, observers=None).lane


def _stages(generation: Generation) -> dict[str, list[str]]:
    stages = {stage: [one.plugin for one in getattr(generation, stage)] for stage in _STAGES}
    stages["stream_transforms"].reverse()
    stages["settlement"] = stages["limiters"][::-1]
    return stages


def _difference(before: ChatRequest, after: ChatRequest) -> dict[str, tuple[object, object]]:
    def value(request: ChatRequest, name: str) -> object:
        return msgspec.json.decode(request.fields[name]) if name in request.fields else None

    names = dict.fromkeys((*before.fields, *after.fields))
    changed = (name for name in names if bytes(before.fields.get(name, b"")) != bytes(after.fields.get(name, b"")))
    return {name: (value(before, name), value(after, name)) for name in changed}


def _why_not(model: Model, principal: Principal, order: Sequence[Model], excluded: Mapping[str, str]) -> str | None:
    if model in order:
        return None
    if not model.enabled:
        return "it is disabled"
    if not principal.may_use(model):
        return "the caller neither owns it nor has it shared"
    return excluded.get(model.id, "the strategy left it out")


def _masked(request: CapturedRequest, model: Model) -> Sent:
    secrets = (model.api_key, *(Secret(value) for value in model.headers.values()))
    headers = {name: value if name.lower() in _QUIET else _MASK for name, value in request.headers}
    body = redact(request.body.decode("utf-8", "replace"), secrets)
    return Sent(method=request.method, url=redact(request.url, secrets), headers=headers, body=body)


def _price(request: ChatRequest, model: Model) -> Price:
    tokens = -(-len(bytes(request.fields.get("messages", b""))) // _BYTES_PER_TOKEN)
    dollars = None if model.prices.input is None else tokens * model.prices.input / 1_000_000
    return Price(input_tokens=tokens, input_dollars=dollars, source=model.prices_from)

"""Requests about an answer that its upstream keeps: led to the model that made it, the ids in the reply renamed."""

import logging
from urllib.parse import quote

import msgspec

from gateway.domain import Attempt, Exchange, Principal
from gateway.errors import GatewayError, NotServed
from gateway.pipeline.calls import Calls
from gateway.pipeline.names import AnswerNames, Kept, Naming
from gateway.pipeline.steps import start_steps
from gateway.requests import ChatRequest
from gateway.runtime import Generation


class UnknownAnswer(GatewayError):
    """No answer of that id is kept for this caller."""

    status_code, type, code, log_level = 404, "invalid_request_error", "response_not_found", logging.INFO


def recalled(names: AnswerNames, request: ChatRequest, principal: Principal) -> ChatRequest:
    """The request as one for the model that made its answer; raises `UnknownAnswer`."""
    kept = names.read(request.answer, principal)
    if kept is None or not kept.id.strip("."):  # dots alone would be another path
        raise unknown(request.answer)
    path = f"/responses/{quote(kept.id, safe='')}{request.path}"
    return msgspec.structs.replace(request, model=kept.model, path=path)


def hold_to_maker(generation: Generation, exchange: Exchange, calls: Calls) -> None:
    """Leave of the route only the model that made the answer; raises `UnknownAnswer` where it is not among them.

    What a stream transform would have changed is not shown as it was: raises `NotServed`.
    """
    request, route = exchange.request, exchange.route
    assert request is not None
    assert route is not None
    targets = tuple(model for model in route.targets if model.id == request.model)
    if not targets:
        raise unknown(request.answer)
    exchange.route = msgspec.structs.replace(route, targets=targets)
    if request.method != "DELETE" and start_steps(generation, exchange, calls) is not None:
        raise NotServed(
            "Answers of this gateway are changed on their way, and are not to be had as their upstream has them."
        )


def unknown(answer: str) -> UnknownAnswer:
    """The refusal, in OpenAI's words."""
    return UnknownAnswer(f"Response with id '{answer}' not found.")


class Recalled(Naming):
    """Names a kept answer, and the one before it, wherever the upstream says them."""

    __slots__ = ("_kept",)

    def __init__(self, names: AnswerNames, attempt: Attempt, kept: Kept, principal: Principal) -> None:
        super().__init__(names, attempt.model, principal, None)
        self._kept = kept

    def spliced(self, raw: bytes, id: str | None) -> bytes:
        """The same JSON, or event that holds it, with the ids as the client knows them."""
        for said in (self._kept.id, _before(raw)):
            if said is not None:
                raw = raw.replace(msgspec.json.encode(said), msgspec.json.encode(self.told(said)))
        return raw


def naming_of(names: AnswerNames, attempt: Attempt, request: ChatRequest) -> Recalled | None:
    """How the ids in this attempt's answer are named; None where the request is about no kept answer."""
    principal = attempt.exchange.principal
    kept = names.read(request.answer, principal) if request.answer and principal is not None else None
    return None if kept is None or principal is None else Recalled(names, attempt, kept, principal)


class _Response(msgspec.Struct, gc=False):
    previous_response_id: str | None = None


class _Said(msgspec.Struct, gc=False):
    previous_response_id: str | None = None
    response: _Response | None = None


def _before(raw: bytes) -> str | None:
    """The answer before, as the response in this JSON names it, alone or in an event."""
    if b'"previous_response_id"' not in raw:
        return None
    try:
        said = msgspec.json.decode(raw[raw.find(b"{") : raw.rfind(b"}") + 1], type=_Said)
    except msgspec.DecodeError:
        return None
    return said.previous_response_id or (said.response.previous_response_id if said.response is not None else None)

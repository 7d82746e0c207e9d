"""What a call to a model says of it."""

import shlex
from collections.abc import Iterator, Sequence
from typing import Literal, TypeAlias

import msgspec

from gateway.cli.model_test.asking import Heard
from gateway.domain import Model
from gateway.egress.guard import AddressDenied
from gateway.errors import (
    GatewayError,
    InvalidUpstreamUrl,
    ModelMisconfigured,
    UpstreamConnectTimeout,
    UpstreamError,
    UpstreamFault,
    UpstreamReset,
    UpstreamUnreachable,
)
from gateway.secrets import Secret, redact
from gateway.wire.chat import repair_for
from gateway.wire.said import error_in

Result: TypeAlias = Literal["ok", "failed", "no", "unknown"]
_LONGEST = 300
_UNREACHED = (ModelMisconfigured, InvalidUpstreamUrl, UpstreamUnreachable, UpstreamConnectTimeout)
_UNASKED = "was not found out"


class Check(msgspec.Struct, frozen=True):
    """One line of the report."""

    check: str
    result: Result
    finding: str


class Report(msgspec.Struct, frozen=True):
    """All that was found out."""

    id: str
    name: str
    calls: int
    """Calls that reached for the upstream, those it refused included."""
    works: bool
    """Whether clients get answers: reached, let in, streamed to the end."""
    checks: tuple[Check, ...]


def report(model: Model, heard: Sequence[Heard], seconds: float) -> Report:
    """What the calls say of the model."""
    last = heard[-1]
    secrets = (model.api_key, *(Secret(value) for value in model.headers.values()))
    checks = (
        _reach(last, model, secrets),
        _auth(last, model, secrets),
        _stream(last, secrets, seconds),
        _usage(last),
        _tools(heard, secrets),
        *_quirks(heard, model, secrets),
    )
    works = all(check.result == "ok" for check in checks[:3])
    return Report(model.id, model.name, len(heard), works, checks)


def _reach(last: Heard, model: Model, secrets: Sequence[Secret]) -> Check:
    error = last.error
    at = model.base_url.partition("?")[0]
    if error is None:
        seen = last.ended or last.pieces or last.failure is not None
        return Check("reach", "ok", at) if seen else Check("reach", "unknown", f"no answer from {at}")
    if not isinstance(error, UpstreamFault):
        return Check("reach", "failed", f"the gateway refused the call: {error.code}: {_said(error, secrets)}")
    if isinstance(error, _UNREACHED) and not isinstance(error, UpstreamReset):
        said = _said(error, secrets)
        if isinstance(error.__cause__, AddressDenied):  # the server may see other settings
            said = said.replace(" may not be reached", " may not be reached, by the settings that this command sees")
        return Check("reach", "failed", f"{at}: {said}")
    return Check("reach", "ok", at)


def _auth(last: Heard, model: Model, secrets: Sequence[Secret]) -> Check:
    error = last.error
    if isinstance(error, UpstreamError):
        if error.status in (401, 403):
            return Check("auth", "failed", _said(error, secrets))
        return Check("auth", "unknown", f"the upstream answered {error.status}")
    if error is None and (last.pieces or last.ended):
        return Check("auth", "ok", "the key was taken" if model.api_key else "no key was asked for")
    return Check("auth", "unknown", _UNASKED)


def _stream(last: Heard, secrets: Sequence[Secret], seconds: float) -> Check:
    if last.error is not None:
        tried = isinstance(last.error, UpstreamFault) and not isinstance(last.error, _UNREACHED)
        return Check("stream", "failed", _said(last.error, secrets)) if tried else Check("stream", "unknown", _UNASKED)
    if last.failure is not None:
        return Check("stream", "failed", redact(f"{last.failure.code}: {last.failure.message}", secrets))
    if not last.ended:
        return Check("stream", "failed", f"the answer was not complete after {seconds:g} seconds")
    return Check("stream", "ok", f"complete, in {last.pieces} pieces")


def _usage(last: Heard) -> Check:
    if not last.ended:
        return Check("usage", "unknown", _UNASKED)
    if last.usage is not None and (last.usage.input is not None or last.usage.output is not None):
        return Check("usage", "ok", f"{_count(last.usage.input)} tokens in, {_count(last.usage.output)} out")
    why = "not reported" if last.asked_usage else "not reported, and the upstream does not take the wish for it"
    return Check("usage", "no", f"{why}: tokens will be estimated")


def _tools(heard: Sequence[Heard], secrets: Sequence[Secret]) -> Check:
    last = heard[-1]
    if last.called:
        return Check("tools", "ok", "the tool was called")
    if last.ended and last.asked_tools:
        return Check("tools", "unknown", "a tool was offered and not called")
    if last.ended and (refusal := heard[-2].error) is not None:
        return Check("tools", "no", f"a request with tools is refused: {_said(refusal, secrets)}")
    return Check("tools", "unknown", _UNASKED)


def _quirks(heard: Sequence[Heard], model: Model, secrets: Sequence[Secret]) -> Iterator[Check]:
    """What the upstream refused, each with the command after which it is not sent any more."""
    for error in (one.error for one in heard if one.refused):
        assert isinstance(error, UpstreamError)
        if (quirk := repair_for(error.status, error.body)) is not None:
            command = shlex.join(("gateway", "models", "update", model.id, "--quirk", quirk))
            yield Check("quirks", "no", f"{_said(error, secrets)}. Repaired by: {command}")


def _said(error: GatewayError, secrets: Sequence[Secret]) -> str:
    """The error in the most telling words there are, without a secret that an upstream may have quoted."""
    if isinstance(error, UpstreamError):
        text = f"{error.status} {_of_body(error.body)}".rstrip()
    else:
        text = (error.detail if isinstance(error, UpstreamFault) else "") or error.message or error.code
    return redact(" ".join(text.split())[:_LONGEST], secrets)


def _of_body(body: bytes) -> str:
    message = error_in(body).get("message")
    return message if isinstance(message, str) else body.decode("utf-8", "replace")


def _count(tokens: int | None) -> str:
    return "?" if tokens is None else str(tokens)

"""What every request transform has to do: change what it means to change, and nothing else."""

import copy
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from gateway.errors import GatewayError
from gateway.protocols import RequestTransform
from gateway.requests import ChatRequest
from gateway.runtime import Generation, Registered
from gateway.testing.asked import chat_request
from gateway.testing.canned import CHAT
from gateway.testing.conformance.answers import exchange_with
from gateway.testing.conformance.manners import MannersChecks
from gateway.testing.conformance.suite import cases, check, fail, skip

_UNKNOWN: Final = msgspec.Raw(b'{"a": [1, 2.50]}')
_ODD_FIELDS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "no_messages": {"messages": []},
        "messages_are_text": {"messages": "hi"},
        "messages_are_null": {"messages": None},
        "message_is_a_number": {"messages": [1]},
        "content_is_a_list": {"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]},
        "content_is_null": {"messages": [{"role": "assistant", "content": None}]},
    }
)


class RequestTransformConformance(MannersChecks):
    """Gives a request transform requests as clients send them, usual and strange."""

    kind = "transform"
    stage = "request_transforms"
    capability_names = frozenset({"drops_fields"})

    def with_object(self, generation: Generation, made: Any) -> Generation:
        """The transform alone."""
        return msgspec.structs.replace(generation, request_transforms=(Registered[RequestTransform]("plugin", made),))

    async def use(self, made: Any) -> None:
        """One request."""
        await made.transform(chat_request("m"), exchange_with())

    async def changed(self, request: ChatRequest) -> ChatRequest | None:
        """The request it makes of this one; None when it refuses, the check's end when it does neither."""
        transform: RequestTransform = self.under_test
        try:
            result: object = await transform.transform(request, exchange_with(request))
        except GatewayError:
            return None
        except Exception as error:  # noqa: BLE001 - this is what the check is about
            fail(f"raises {type(error).__name__}: {error}; refuse with a `GatewayError`, such as `InvalidRequest`")
        if not isinstance(result, ChatRequest):
            fail(f"`transform` returned {type(result).__name__}, not a ChatRequest; without a change return the same")
        for name, value in result.fields.items():
            if not isinstance(value, msgspec.Raw):
                fail(f"put a {type(value).__name__} into the field '{name}'; fields hold JSON: `msgspec.Raw(...)`")
            try:
                msgspec.json.decode(bytes(value))
            except (msgspec.DecodeError, UnicodeDecodeError):
                fail(f"put something into the field '{name}' that is no JSON")
        return result

    @cases(*_ODD_FIELDS)
    async def test_takes_any_request(self, name: str) -> None:
        """Fields are what clients sent: it changes them, leaves them, or refuses."""
        async with self.bench():
            await self.changed(chat_request("m", **_ODD_FIELDS[name]))

    @check
    async def test_takes_a_request_without_fields(self) -> None:
        """Nothing is sure to be there."""
        async with self.bench():
            await self.changed(msgspec.structs.replace(chat_request("m"), fields={}))

    @check
    async def test_does_not_change_what_it_was_given(self) -> None:
        """Requests are immutable: others hold the same one."""
        async with self.bench():
            request = chat_request("m", x_unknown=_UNKNOWN)
            before = copy.deepcopy(dict(request.fields))
            await self.changed(request)
        if before != dict(request.fields):
            fail("mutates the request it was given: make a copy with `request.with_fields(...)`")

    @check
    async def test_keeps_unknown_fields(self) -> None:
        """What it does not know reaches the upstream byte for byte."""
        if self.explicit and "drops_fields" in self.claimed():
            skip("it declares that it drops fields")
        async with self.bench():
            result = await self.changed(chat_request("m", x_unknown=_UNKNOWN))
        if result is not None and bytes(result.fields.get("x_unknown", msgspec.Raw(b""))) != bytes(_UNKNOWN):
            fail("drops unknown fields: 'x_unknown' did not come through; or declare the capability 'drops_fields'")

    @check
    async def test_the_pipeline_serves_with_it(self) -> None:
        """A usual request goes through a whole pipeline, or is refused in words."""
        async with self.bench() as bench:
            bench.model("plain", CHAT["text"].behaviour())
            asked = await bench.ask("plain")
        if asked.refusal is not None and asked.refusal.code == "plugin_error":
            fail(f"fails on a usual request: {asked.problem}")

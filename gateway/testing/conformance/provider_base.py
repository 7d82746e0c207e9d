"""What the checks of a provider share: its models, its upstream's answers, the words for what came of them."""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

import msgspec

from gateway.domain import Principal
from gateway.errors import GatewayError
from gateway.protocols import Provider
from gateway.runtime import Generation, Registered
from gateway.testing.asked import Asked
from gateway.testing.bench import Bench
from gateway.testing.canned import CHAT, Canned, dripped
from gateway.testing.canned_messages import MESSAGES
from gateway.testing.conformance.suite import Conformance, fail, skip
from gateway.testing.upstream import Behaviour

ANYBODY: Final = Principal("kit", unrestricted=True)
DRIP: Final = "one_byte_drip"


class ProviderChecks(Conformance):
    """Base of a provider's checks."""

    kind = "provider"
    stage = "providers"
    capability_names = frozenset({"choices", "json_answer", "reasoning", "refusal", "tools", "unknown_fields", "usage"})
    answers: ClassVar[Mapping[str, Canned] | None] = None
    """As in the declaration; None = as declared."""
    dialect: ClassVar[str | None] = None
    """As in the declaration; None = as declared."""

    @property
    def own_answers(self) -> Mapping[str, Canned]:
        """The answers of the provider's own dialect; none = it speaks chat completions."""
        if self.answers is not None:
            return self.answers
        dialect = self.dialect or self.declaration.dialect
        return self.declaration.answers or (MESSAGES if dialect == "messages" else {})

    def with_object(self, generation: Generation, made: Any) -> Generation:
        """The provider under its name."""
        providers = {**generation.providers, made.name: Registered[Provider](made.name, made)}
        return msgspec.structs.replace(generation, providers=providers)

    def claimed(self) -> frozenset[str]:
        """What it says it can do; in a dialect of its own, where it says nothing, what its declared answers show."""
        own = self.own_answers
        if self.explicit or not own:
            return super().claimed()
        return frozenset(CHAT[name].needs for name in own if name in CHAT) - {""}

    def answer(self, name: str) -> Canned:
        """The upstream's answer of that name; skips when there is none in its dialect."""
        own = self.own_answers
        if name == DRIP and (not own or "text" in own):
            return dripped((own or CHAT)["text"])
        if not own or name in own:
            return (own or CHAT)[name]
        if self.explicit and name in CHAT and CHAT[name].needs in self.claimed():
            fail(f"declares the capability '{CHAT[name].needs}' and no answer '{name}' that could prove it")
        return skip(f"its dialect's answer '{name}' is not declared")

    def model(self, bench: Bench, name: str, *behaviours: Behaviour, **fields: Any) -> None:
        """A model of the provider under test."""
        bench.model(name, *behaviours, provider=self.under_test.name, **fields)

    async def asked(self, bench: Bench, name: str, *behaviours: Behaviour, **fields: Any) -> Asked:
        """The end of one exchange with a new model."""
        self.model(bench, name, *behaviours, **fields)
        return await bench.ask(name)


def got(asked: Asked) -> str:
    """What the client got, for a message."""
    return f"{asked.said.text!r} and a proper end" if not asked.problem else asked.problem


def told(error: GatewayError | None) -> str:
    """What the client is told, for a message."""
    return "nothing" if error is None else f"{type(error).__name__} ({error.status} {error.code}: {error})"
